/*
 * PID 1 of a code container. Copies the function from its image to the volume that it shares with the
 * runtime container, says that it is there, and waits; exits at once on SIGTERM.
 *
 *   entry [SOURCE [TARGET [DIGEST]]]      default: /function /berth/code
 *   entry --start SOCKET DIGEST           starts the command of a user's image: command.h
 *
 * The copy goes to TARGET/.next, with DIGEST in the file .berth-ready, and is renamed to TARGET/current, whose
 * former content goes to TARGET/.old: the supervisor sees a whole function or none. Without SOURCE there is
 * nothing to copy and it only waits: so do the idle code container of a prewarmed pod, and a pod's sandbox. Freestanding: no libc, so that the entry
 * layer is a few kilobytes and needs nothing from a base image.
 */
#include "sys.h"

/* struct stat: its size, and where its mode lies. */
#define STAT 144
#define STAT_MODE 24
__asm__(".global _start\n_start: mov %rsp,%rdi\nand $-16,%rsp\ncall begin\n");
__asm__("restore: mov $15,%eax\nsyscall\n");

#define REMOVE_DIRECTORY 0x200

void *memcpy(void *to, const void *from, ulong n) {
  for (ulong i = 0; i < n; i++) ((char *)to)[i] = ((const char *)from)[i];
  return to;
}

static void fail(const char *what, const char *path) {
  say(what, path);
  sys(EXIT, 1, 0, 0, 0);
}

#include "command.h"

static void join(char *out, const char *dir, const char *name) {
  ulong a = length(dir), b = length(name);
  if (a + b + 2 > PATH) fail("entry: path too long: ", name);
  memcpy(out, dir, a);
  out[a] = '/';
  memcpy(out + a + 1, name, b + 1);
}

static void copy_file(const char *from, const char *to) {
  static char buffer[65536];
  long in = sys(OPENAT, CWD, (long)from, O_RDONLY, 0);
  if (in < 0) fail("entry: cannot read ", from);
  char stat[STAT] __attribute__((aligned(8)));
  long mode = sys(FSTAT, in, (long)stat, 0, 0) < 0 ? 0 : *(unsigned *)(stat + STAT_MODE);
  long out = sys(OPENAT, CWD, (long)to, O_WRONLY | O_CREAT | O_TRUNC, mode & 0111 ? 0755 : 0644);
  if (out < 0) fail("entry: cannot write ", to);
  for (long n; (n = sys(READ, in, (long)buffer, sizeof buffer, 0)) != 0;) {
    if (n < 0) fail("entry: cannot read ", from);
    for (long done = 0, w; done < n; done += w) {
      w = sys(WRITE, out, (long)buffer + done, n - done, 0);
      if (w <= 0) fail("entry: cannot write ", to);
    }
  }
  sys(CLOSE, in, 0, 0, 0);
  sys(CLOSE, out, 0, 0, 0);
}

enum { ENTRY_DIRECTORY = 4, ENTRY_FILE = 8 };
typedef void (*Visit)(const char *from, const char *to);

/* Calls back for each entry of a directory; `to` may be empty. */
static void each(const char *from, const char *to, Visit file, Visit directory) {
  char list[4096] __attribute__((aligned(8)));
  char source[PATH], target[PATH];
  long dir = sys(OPENAT, CWD, (long)from, O_RDONLY | O_DIRECTORY, 0);
  if (dir < 0) return;
  for (long n; (n = sys(GETDENTS, dir, (long)list, sizeof list, 0)) > 0;) {
    for (long at = 0; at < n; at += *(unsigned short *)(list + at + 16)) {
      const char *name = list + at + 19;
      if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]))) continue;
      join(source, from, name);
      join(target, to, name);
      if (list[at + 18] == ENTRY_DIRECTORY) directory(source, target);
      else if (list[at + 18] == ENTRY_FILE) file(source, target);
    }
  }
  sys(CLOSE, dir, 0, 0, 0);
}

static void copy_tree(const char *from, const char *to) {
  sys(MKDIRAT, CWD, (long)to, 0755, 0);
  each(from, to, copy_file, copy_tree);
}

static void remove_file(const char *path, const char *unused) {
  (void)unused;
  sys(UNLINKAT, CWD, (long)path, 0, 0);
}

static void remove_tree(const char *path, const char *unused) {
  each(path, unused, remove_file, remove_tree);
  sys(UNLINKAT, CWD, (long)path, REMOVE_DIRECTORY, 0);
}

static void leave(int signal) {
  (void)signal;
  sys(EXIT, 0, 0, 0, 0);
}

static void wait_for_signals(void) {
  for (;;) sys(PAUSE_, 0, 0, 0, 0);
}

void begin(long *stack) {
  long argc = stack[0];
  char **argv = (char **)(stack + 1);
  const char *source = argc > 1 ? argv[1] : "/function";
  const char *target = argc > 2 ? argv[2] : "/berth/code";
  const char *digest = argc > 3 ? argv[3] : "";
  on_signal(15, leave);
  on_signal(2, leave);
  if (argc > 3 && begins(source, "--start")) run_command(target, digest, argv + argc + 1);
  char next[PATH], current[PATH], old[PATH], ready[PATH];
  join(next, target, ".next");
  join(current, target, "current");
  join(old, target, ".old");
  join(ready, next, ".berth-ready");
  long function = sys(OPENAT, CWD, (long)source, O_RDONLY | O_DIRECTORY, 0);
  if (function < 0) wait_for_signals();
  sys(CLOSE, function, 0, 0, 0);
  sys(MKDIRAT, CWD, (long)target, 0755, 0);
  remove_tree(next, "");
  remove_tree(old, "");
  copy_tree(source, next);
  long file = sys(OPENAT, CWD, (long)ready, O_WRONLY | O_CREAT, 0644);
  if (file < 0) fail("entry: cannot write ", ready);
  sys(WRITE, file, (long)digest, (long)length(digest), 0);
  sys(CLOSE, file, 0, 0, 0);
  sys(RENAMEAT, CWD, (long)current, CWD, (long)old);
  if (sys(RENAMEAT, CWD, (long)next, CWD, (long)current) < 0) fail("entry: cannot rename to ", current);
  wait_for_signals();
}
