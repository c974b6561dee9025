import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { sleep, until } from "./berth.ts";
import { BERTH } from "./routers.ts";

/** Between two times that a user presses Ctrl-C. */
const BETWEEN_MS = 50;

/** A running `berth dev`. */
export class DevCommand {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  /** Its output so far, on both streams. */
  output = "";

  constructor(args: readonly string[], variables: Record<string, string> = {}) {
    this.#child = spawn(process.execPath, ["--", BERTH, "dev", "--port", "0", ...args], {
      env: { ...process.env, NO_COLOR: "1", ...variables },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#exited = once(this.#child, "exit");
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.on("data", (data) => (this.output += data));
  }

  /** The URL of the function `name`, once it is served. */
  async url(name: string): Promise<string> {
    const pattern = new RegExp(`http://127\\.0\\.0\\.1:\\d+/function/${name}$`, "m");
    await until(() => pattern.test(this.output) && this.output.includes("watching for changes"), "it is served", 60_000);
    return pattern.exec(this.output)?.[0] as string;
  }

  says(text: string): Promise<void> {
    return until(() => this.output.includes(text), `it says ${text}; it said ${this.output}`, 20_000);
  }

  /** Interrupts it so many times, and returns its exit code. */
  async end(times = 1): Promise<number | null> {
    for (let at = 0; at < times; at++) {
      this.#child.kill("SIGINT");
      if (at < times - 1) await sleep(BETWEEN_MS);
    }
    await this.#exited;
    return this.#child.exitCode;
  }
}
