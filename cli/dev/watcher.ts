import { type FSWatcher, lstatSync, readdirSync, statSync, watch } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";

/** How long no file must have changed before a change is reported: an editor's save, or a checkout, is several. */
const QUIET_MS = 15;
/** The longest time that further changes delay a report. */
const LATEST_MS = 150;
/** How often a directory that was deleted is looked for. */
const RETURN_MS = 100;

/** Directories of what tools write and install. */
const IGNORED = new Set(["node_modules", ".git", ".hg", "dist", ".berth", ".venv", "venv", "__pycache__", "coverage", ".pytest_cache", ".mypy_cache"]);
/** Backups, swap and lock files of editors: vim, Emacs, Kate, JetBrains. */
const OF_EDITORS = /~$|^4913$|\.sw[a-z]$|^\.#|^#.*#$|\.kate-swp$|___jb_(tmp|old)___$/;

interface WatcherOptions {
  /** Receives names relative to the directory, and when the first of these changes was noticed, by `performance.now()`. */
  changed(files: string[], since: number): void;
  /** Receives why a part of the directory cannot be watched. */
  failed(message: string): void;
}

/**
 * Watches a directory, and single files elsewhere, and reports changes together. It watches directories, not files: a
 * file that is replaced would take its watch with it.
 */
export class Watcher {
  readonly #base: string;
  readonly #options: WatcherOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  /** Files outside of the directory, or in ignored parts of it. */
  readonly #elsewhere = new Set<string>();
  readonly #names = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #returned: NodeJS.Timeout | undefined;
  #since = 0;
  #identity: string | undefined;

  constructor(base: string, options: WatcherOptions) {
    this.#base = base;
    this.#options = options;
    this.#identity = this.#currentIdentity();
    this.#watchTree(base);
  }

  /** Watches these files too, wherever they are. Installed packages are left out. */
  add(files: readonly string[]): void {
    for (const file of files) {
      if (this.#elsewhere.has(file) || file.split(sep).includes("node_modules") || !this.#isIgnored(file)) continue;
      this.#elsewhere.add(file);
      this.#watch(dirname(file));
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#returned);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** The watch begins before the directory is read, so that no file escapes both. */
  #watchTree(dir: string): void {
    this.#watch(dir);
    try {
      for (const entry of readdirSync(dir, { withFileTypes: true })) {
        const path = join(dir, entry.name);
        if (entry.isDirectory() && !this.#isIgnored(path)) this.#watchTree(path);
      }
    } catch {
      // It is gone again, or could not be watched either.
    }
  }

  #watch(dir: string): void {
    if (this.#watchers.has(dir)) return;
    try {
      const watcher = watch(dir, (event, name) => this.#noticed(event, name === null ? dir : join(dir, name)));
      watcher.on("error", () => this.#unwatch(dir));
      this.#watchers.set(dir, watcher);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const hint = code === "ENOSPC" ? "; raise fs.inotify.max_user_watches (sysctl)" : "";
      if (code !== "ENOENT") this.#options.failed(`${dir} is not watched: ${message}${hint}`);
    }
  }

  #unwatch(dir: string): void {
    for (const [path, watcher] of this.#watchers) {
      if (path !== dir && !path.startsWith(dir + sep)) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
  }

  #noticed(event: string, path: string): void {
    if (!this.#elsewhere.has(path) && this.#isIgnored(path)) return;
    // A directory that has come, gone, or taken the place of another.
    if (event === "rename" && path !== this.#base) {
      this.#unwatch(path);
      if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) this.#watchTree(path);
    }
    this.#collect(path);
  }

  #collect(path: string): void {
    const now = performance.now();
    if (this.#names.size === 0) this.#since = now;
    this.#names.add(relative(this.#base, path));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#report(), Math.max(0, Math.min(QUIET_MS, this.#since + LATEST_MS - now)));
  }

  #report(): void {
    if (this.#currentIdentity() !== this.#identity) this.#awaitReturn();
    const names = [...this.#names].sort();
    this.#names.clear();
    this.#options.changed(names, this.#since);
  }

  /** Watches the directory that has taken the place of the one that was watched. */
  #awaitReturn(): void {
    clearInterval(this.#returned);
    const look = () => {
      const identity = this.#currentIdentity();
      if (identity === undefined) return;
      clearInterval(this.#returned);
      this.#identity = identity;
      this.#unwatch(this.#base);
      this.#watchTree(this.#base);
      this.#collect(this.#base);
    };
    this.#returned = setInterval(look, RETURN_MS);
    look();
  }

  #isIgnored(path: string): boolean {
    const below = relative(this.#base, path);
    return below.startsWith("..") || below.split(sep).some((part) => IGNORED.has(part)) || OF_EDITORS.test(basename(path));
  }

  /** Distinguishes the directory from another one at its path, which may have got its inode. Undefined: there is none. */
  #currentIdentity(): string | undefined {
    const stats = statSync(this.#base, { throwIfNoEntry: false });
    return stats && `${stats.ino} ${stats.birthtimeMs}`;
  }
}
