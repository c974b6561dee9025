import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { eachLine } from "../../../runtime-images/protocol/lines.ts";
import { BERTH } from "../../helpers/routers.ts";

const START_MS = 60_000;
/** A router lets what runs end within 30 s; nothing of a soak runs for longer than some seconds. */
const STOP_MS = 45_000;
/** Lines that are kept to explain why it ended. */
const TAIL = 30;

/** A command of Berth in a process of its own. */
export class BerthProcess {
  readonly startedAt = Date.now();
  /** The line that said that it is ready. */
  ready: RegExpExecArray | null = null;
  readonly #child: ChildProcess;
  readonly #args: readonly string[];
  readonly #exited: Promise<unknown>;
  readonly #tail: string[] = [];

  private constructor(args: readonly string[], ready: RegExp, onLine: (line: string) => void) {
    this.#args = args;
    this.#child = spawn(process.execPath, [BERTH, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    this.#exited = once(this.#child, "exit");
    const read = (line: string) => {
      this.ready ??= ready.exec(line);
      if (this.#tail.push(line) > TAIL) this.#tail.shift();
      onLine(line);
    };
    for (const stream of [this.#child.stdout, this.#child.stderr]) if (stream) eachLine(stream, read);
  }

  /** Resolves when it has said that it is ready. */
  static async start(args: readonly string[], ready: RegExp, onLine: (line: string) => void = () => {}): Promise<BerthProcess> {
    const started = new BerthProcess(args, ready, onLine);
    const deadline = Date.now() + START_MS;
    while (!started.ready) {
      if (!started.lives || Date.now() > deadline) {
        await started.end("SIGKILL");
        throw new Error(`berth ${args[0]} did not start:\n${started.#tail.join("\n")}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return started;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get lives(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Its last lines. */
  get said(): string {
    return this.#tail.join("\n");
  }

  signal(signal: NodeJS.Signals): void {
    if (this.lives) this.#child.kill(signal);
  }

  /** Waits until it has ended by itself; false: it has not within this time. */
  async ended(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), ms);
    });
    const ended = await Promise.race([this.#exited.then(() => true as const), late]);
    clearTimeout(timer);
    return ended;
  }

  /** Sends the signal and waits until it has ended; rejects where it does not within the time that Berth gives itself. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (!this.lives) return;
    this.#child.kill(signal);
    this.#child.kill("SIGCONT");
    if (await this.ended(STOP_MS)) return;
    this.#child.kill("SIGKILL");
    throw new Error(`berth ${this.#args.slice(0, 3).join(" ")} did not end within ${STOP_MS / 1000} s of ${signal}:\n${this.said}`);
  }
}
