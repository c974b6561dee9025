import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";

/**
 * Variables of the manager that instances start with: nothing of its other environment reaches a function.
 * NODE_EXTRA_CA_CERTS is left out on purpose: reading it takes 70 ms of each Node process's start.
 */
const INHERITED = ["PATH", "LANG", "LC_ALL", "TZ"];
/** A captured line is at most 8 KiB of text, six times that in JSON. */
const MAX_LINE = 65_536;

/** A supervisor and all that it starts, as one process group in a session of its own. */
export class ProcessGroup {
  readonly #child: ChildProcess;
  readonly exited: Promise<void>;

  /** The child's standard input is a pipe whose end tells it that the manager is gone, however it died. */
  constructor(program: string, env: Record<string, string>, onLine: (line: string) => void) {
    const inherited: Record<string, string> = {};
    for (const name of INHERITED) if (process.env[name] !== undefined) inherited[name] = process.env[name];
    this.#child = spawn(process.execPath, [program], {
      detached: true,
      env: { ...inherited, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) eachLine(stream, onLine);
    }
    this.#child.stdin?.on("error", () => {});
    this.exited = new Promise((resolve) => {
      this.#child.once("exit", () => resolve());
      this.#child.once("error", () => resolve());
    });
  }

  /** Kills every process of the group: the kernel signals all of them at once, those that are being forked too. */
  kill(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // None is left.
    }
  }
}

/** Splits a stream into lines of at most `MAX_LINE` characters: a function may print one without an end. */
function eachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = (lines.pop() ?? "").slice(0, MAX_LINE);
    for (const line of lines) onLine(line.length > MAX_LINE ? line.slice(0, MAX_LINE) : line);
  });
  stream.on("error", () => {});
}
