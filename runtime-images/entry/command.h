/*
 * Starts the command of an image, as PID 1 of its container:
 *
 *   command --start SOCKET DIGEST
 *
 * It connects to the worker's SOCKET on the shared volume and says which image it is. The worker answers with what is to be
 * started: the length of the rest, the number of arguments (both 4 bytes, little-endian), and texts that end with a zero: the
 * arguments, then variables, which go before those of the image. Output goes to the pipes SOCKET.out and SOCKET.err. The
 * worker ends the command with `t` (SIGTERM) or `k` (SIGKILL), or by leaving, and is told how it ended. SIGTERM alone does
 * not end it: a pod that is deleted first finishes its invocations.
 */
enum { MAX_START = 1 << 20, MAX_TEXTS = 4096, TERM_MS = 1500 };
enum { SIG_KILL = 9, SIG_TERM = 15, SIG_CHLD = 17, NO_ENTRY = 2, NO_FORMAT = 8, NO_ACCESS = 13, NO_HANG = 1, IN = 1 };
enum { FIRST_PAUSE_NS = 2000000, LAST_PAUSE_NS = 500000000, NS = 1000000000 };

struct time { long seconds, nanoseconds; };
struct poll { int fd; short events, found; };

static char start[MAX_START];
static char *texts[2 * MAX_TEXTS];

static void ignore(int signal) { (void)signal; }

static int begins(const char *text, const char *with) {
  while (*with) if (*text++ != *with++) return 0;
  return 1;
}

/* Whether two variables have one name. */
static int same_name(const char *a, const char *b) {
  while (*a && *a == *b && *a != '=') a++, b++;
  return *a == '=' && *b == '=';
}

static int connected(const char *path) {
  struct { unsigned short family; char path[108]; } address = {1, {0}};
  ulong n = length(path);
  if (n >= sizeof address.path) { say("command: path too long: ", path); sys(EXIT, 1, 0, 0, 0); }
  memcpy(address.path, path, n);
  struct time pause = {0, FIRST_PAUSE_NS};
  for (;;) {
    long fd = sys(SOCKET, 1, 1 | O_CLOEXEC, 0, 0);
    if (sys(CONNECT, fd, (long)&address, sizeof address, 0) == 0) return fd;
    sys(CLOSE, fd, 0, 0, 0);
    sys(NANOSLEEP, (long)&pause, 0, 0, 0);
    if (pause.nanoseconds < LAST_PAUSE_NS) pause.nanoseconds *= 2;
  }
}

/* One end of a pipe that stays, and that the command can open again as /dev/stdout. */
static int piped(const char *socket, const char *suffix) {
  char path[PATH];
  ulong n = length(socket);
  memcpy(path, socket, n);
  memcpy(path + n, suffix, length(suffix) + 1);
  sys(UNLINKAT, CWD, (long)path, 0, 0);
  sys(MKNODAT, CWD, (long)path, 0010600, 0);
  long fd = sys(OPENAT, CWD, (long)path, O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) { say("command: cannot open ", path); sys(EXIT, 1, 0, 0, 0); }
  return fd;
}

static void read_all(int fd, char *to, ulong n) {
  for (ulong done = 0; done < n;) {
    long more = sys(READ, fd, (long)to + done, n - done, 0);
    if (more <= 0) sys(EXIT, 0, 0, 0, 0);
    done += more;
  }
}

/* Returns where the variables begin among the texts. */
static ulong read_start(int fd, char **inherited) {
  unsigned head[2];
  read_all(fd, (char *)head, sizeof head);
  if (head[0] > MAX_START) sys(EXIT, 1, 0, 0, 0);
  read_all(fd, start, head[0]);
  ulong count = 0, arguments = head[1];
  for (ulong at = 0; at < head[0] && count < MAX_TEXTS; at += length(start + at) + 1) {
    if (count == arguments) texts[count++] = 0;
    texts[count++] = start + at;
  }
  if (count == arguments) texts[count++] = 0;
  ulong given = count;
  for (char **one = inherited; *one && count < 2 * MAX_TEXTS - 1; one++) {
    int known = begins(*one, "KUBERNETES_");
    for (ulong i = arguments + 1; i < given && !known; i++) known = same_name(texts[i], *one);
    if (!known) texts[count++] = *one;
  }
  texts[count] = 0;
  return arguments + 1;
}

static void fail_to_start(long error, const char *name) {
  const char *why = "command: cannot be started: ";
  if (error == -NO_ENTRY) why = "command: not found in the image, or its interpreter is not: ";
  if (error == -NO_ACCESS) why = "command: not executable by the user of the pods: ";
  if (error == -NO_FORMAT) why = "command: neither a program of Linux on amd64 nor a script with #!: ";
  say(why, name);
  sys(EXIT, error == -NO_ENTRY ? 127 : 126, 0, 0, 0);
}

/* Replaces this process. A name without a slash is looked for on the PATH. */
static void execute(char **arguments, char **variables) {
  const char *name = arguments[0], *path = "/usr/local/bin:/usr/bin:/bin";
  for (const char *c = name; *c; c++)
    if (*c == '/') fail_to_start(sys(EXECVE, (long)name, (long)arguments, (long)variables, 0), name);
  for (char **one = variables; *one; one++) if (begins(*one, "PATH=")) path = *one + 5;
  long error = -NO_ENTRY;
  while (*path) {
    char file[PATH];
    ulong n = 0;
    while (path[n] && path[n] != ':') n++;
    if (n + length(name) + 2 <= PATH) {
      memcpy(file, path, n);
      file[n] = '/';
      memcpy(file + n + 1, name, length(name) + 1);
      long refusal = sys(EXECVE, (long)file, (long)arguments, (long)variables, 0);
      if (refusal != -NO_ENTRY) error = refusal;
    }
    path += n + (path[n] == ':');
  }
  fail_to_start(error, name);
}

static long start_command(int out, int err, char **arguments, char **variables) {
  long child = sys(FORK, 0, 0, 0, 0);
  if (child != 0) return child;
  ulong none = 0;
  sys(SETSID, 0, 0, 0, 0);
  on_signal(SIG_TERM, 0);
  on_signal(SIG_CHLD, 0);
  sys(SIGPROCMASK, 2, (long)&none, 0, 8);
  sys(DUP2, out, 1, 0, 0);
  sys(DUP2, err, 2, 0, 0);
  execute(arguments, variables);
  return 0;
}

/* Tells the worker `exit CODE` or `signal NUMBER`; the end of PID 1 ends whatever the command has left. */
static void tell_end(int fd, int status) {
  char line[16] = "exit ";
  int value = (status >> 8) & 255;
  if (status & 127) memcpy(line, "signal ", 7), value = status & 127;
  ulong n = length(line);
  if (value > 99) line[n++] = '0' + value / 100;
  if (value > 9) line[n++] = '0' + value / 10 % 10;
  line[n++] = '0' + value % 10;
  line[n++] = '\n';
  sys(WRITE, fd, (long)line, n, 0);
  sys(EXIT, 0, 0, 0, 0);
}

static void supervise(int fd, long child) {
  ulong none = 0;
  struct time grace = {TERM_MS / 1000, TERM_MS % 1000 * 1000000L};
  int is_left = 0;
  for (;;) {
    int status = 0;
    for (long ended; (ended = sys(WAIT4, -1, (long)&status, NO_HANG, 0)) > 0;) if (ended == child) tell_end(fd, status);
    struct poll poll = {fd, IN, 0};
    /* Signals arrive only here. After the worker has left, the end of the grace period is waited for. */
    long found = sys(PPOLL, (long)&poll, !is_left, is_left ? (long)&grace : 0, (long)&none);
    if (found == 0 && is_left) sys(KILL, -child, SIG_KILL, 0, 0);
    if (found <= 0) continue;
    char order = 0;
    if (sys(READ, fd, (long)&order, 1, 0) <= 0) is_left = 1;
    sys(KILL, -child, order == 'k' ? SIG_KILL : SIG_TERM, 0, 0);
  }
}

static void run_command(const char *socket, const char *digest, char **inherited) {
  int fd = connected(socket);
  int out = piped(socket, ".out"), err = piped(socket, ".err");
  sys(WRITE, fd, (long)digest, length(digest), 0);
  sys(WRITE, fd, (long)"\n", 1, 0);
  char **variables = texts + read_start(fd, inherited);
  ulong held = 1UL << (SIG_TERM - 1) | 1UL << (SIG_CHLD - 1);
  sys(SIGPROCMASK, 0, (long)&held, 0, 8);
  on_signal(SIG_TERM, ignore);
  on_signal(SIG_CHLD, ignore);
  supervise(fd, start_command(out, err, texts, variables));
}
