import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

/** Commands one after the other, each in a process group of its own, so that one that takes too long ends with all that it has started. */
export class BoundedCommands {
  #running: ChildProcess | null = null;
  isStopped = false;

  /** Ends the present command. After it only commands begin that always run, and a second call does not end those. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.#end();
  }

  /** Appends what is printed to the file `log`. Resolves to whether the command has ended well within `timeoutMs`. */
  async run([command = "", ...args]: string[], log: string, timeoutMs: number, when: "unless stopped" | "always" = "unless stopped"): Promise<boolean> {
    if (this.isStopped && when !== "always") return false;
    const file = openSync(log, "a");
    const child = spawn(command, args, { stdio: ["ignore", file, file], detached: true });
    closeSync(file);
    this.#running = child;
    const timer = setTimeout(() => this.#end(), timeoutMs);
    try {
      return await new Promise<boolean>((resolve) => {
        child.on("error", () => resolve(false));
        child.on("exit", (code) => resolve(code === 0));
      });
    } finally {
      clearTimeout(timer);
      this.#running = null;
    }
  }

  #end(): void {
    const { pid, exitCode, signalCode } = this.#running ?? {};
    if (pid && exitCode === null && signalCode === null) process.kill(-pid, "SIGKILL");
  }
}
