import { type ChildProcess, spawn } from "node:child_process";
import { eachLine } from "../../../runtime-images/protocol/lines.ts";

/**
 * Variables of the manager that instances start with: nothing of its other environment reaches a function.
 * NODE_EXTRA_CA_CERTS is left out on purpose: reading it takes 70 ms of each Node process's start.
 */
const INHERITED = ["PATH", "LANG", "LC_ALL", "TZ"];

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
