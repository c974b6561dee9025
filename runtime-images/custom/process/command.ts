import { type ChildProcess, spawn } from "node:child_process";
import { WORKER_ID_VARIABLE } from "../../protocol/left-behind.ts";
import { listeningSockets, socketsOf } from "./listening-sockets.ts";
import { type OnLine, OutputLines } from "./output-lines.ts";
import type { RunningCommand } from "./running.ts";
import { startFault } from "./start-fault.ts";

/** How long the rest of the output of a process that has ended is awaited: processes of its own may keep the pipe. */
const REST_MS = 100;
/** How long a process may go on after SIGTERM; its worker waits two seconds. */
const KILL_MS = 1500;

export interface CommandOptions {
  words: readonly string[];
  dir: string;
  env: NodeJS.ProcessEnv;
  onLine: OnLine;
}

/** The function's program: a child with a process group of its own, which ends as a whole. */
export class Command implements RunningCommand {
  readonly #child: ChildProcess;
  readonly #lines: OutputLines;
  #ended = false;
  /** Resolves once it has ended, with how it ended and its last lines. */
  readonly exited: Promise<string>;

  /** Throws, in words, what the system refuses at once. */
  static start(options: CommandOptions): Command {
    try {
      return new Command(options);
    } catch (error) {
      const { words, dir, env } = options;
      throw startFault(words, { dir, path: env.PATH, code: null, error: error as Error });
    }
  }

  private constructor({ words, dir, env, onLine }: CommandOptions) {
    const [program = "", ...args] = words;
    this.#child = spawn(program, args, { cwd: dir, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const { stdout, stderr } = this.#child;
    this.#lines = new OutputLines(onLine);
    if (stdout) this.#lines.read("out", stdout);
    if (stderr) this.#lines.read("err", stderr);
    this.exited = new Promise((resolve) => {
      const end = (how: string) => {
        if (this.#ended) return;
        this.#ended = true;
        const told = () => resolve([how, ...this.#lines.latest].join("\n"));
        const rest = setTimeout(told, REST_MS).unref();
        this.#child.once("close", () => {
          clearTimeout(rest);
          told();
        });
      };
      const fault = (code: number | null, error?: NodeJS.ErrnoException) => startFault(words, { dir, path: env.PATH, code, error });
      this.#child.on("error", (error: NodeJS.ErrnoException) => end(fault(null, error) ?? `the command could not start: ${error.message}`));
      this.#child.on("exit", (code, signal) => end(fault(code) ?? exitOf(code, signal)));
    });
    // However this process ends but by SIGKILL, after which the supervisor does the same.
    process.on("exit", () => this.#signal("SIGKILL"));
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Of it and of all that it has started: what a worker starts has the worker's mark. */
  addresses(): string[] {
    const mark = `${WORKER_ID_VARIABLE}=${process.env[WORKER_ID_VARIABLE]}`;
    const own = socketsOf((pid, environment) => pid !== process.pid && environment.split("\0").includes(mark));
    return listeningSockets().flatMap(({ address, inode }) => (own.has(inode) ? [address] : []));
  }

  /** Whether its last lines say that its port is taken. */
  get missesPort(): boolean {
    return this.#lines.latest.some((line) => /EADDRINUSE|address (is )?already in use/i.test(line));
  }

  /** Sends SIGTERM, and later SIGKILL. */
  terminate(): void {
    this.#signal("SIGTERM");
    setTimeout(() => this.#signal("SIGKILL"), KILL_MS).unref();
  }

  kill(): void {
    this.#signal("SIGKILL");
  }

  /** To the whole group: it may outlive the process that began it. */
  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // Nothing is left of it.
    }
  }
}

function exitOf(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal) return `the command was ended by ${signal}${signal === "SIGKILL" ? " (out of memory?)" : ""}`;
  if (code === 0) return "the command ended with code 0: it has to stay in the foreground";
  return `the command exited with code ${code}`;
}
