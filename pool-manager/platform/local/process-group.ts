import { type ChildProcess, spawn } from "node:child_process";
import { eachLine } from "../../../runtime-images/protocol/lines.ts";

/**
 * The environment variables that instances inherit from the pool manager: no other reaches a function.
 * NODE_EXTRA_CA_CERTS is left out on purpose: reading it adds 70 ms to the start of each Node process.
 */
const INHERITED = ["PATH", "LANG", "LC_ALL", "TZ"];

/** A supervisor and its descendants as one process group in its own session. */
export class ProcessGroup {
  readonly #child: ChildProcess;
  readonly exited: Promise<void>;

  /** The child's standard input is a pipe that the kernel closes when the pool manager ends, however it ends. */
  constructor(command: readonly [string, ...string[]], env: Record<string, string>, onLine: (line: string) => void) {
    const inherited: Record<string, string> = {};
    for (const name of INHERITED) if (process.env[name] !== undefined) inherited[name] = process.env[name];
    const [program, ...args] = command;
    this.#child = spawn(program, args, {
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

  /** Kills every process of the group: the kernel signals all of them at once, including those being forked. */
  kill(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // The group is already empty.
    }
  }
}
