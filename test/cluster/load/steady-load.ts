import { openLoop } from "../../../bench/driver.ts";

/** Invokes a function at 40/s until it is told to end. */
export class SteadyLoad {
  readonly #failed: string[] = [];
  readonly #running: Promise<void>;
  #seconds = 0;
  #over = false;

  constructor(invokeUrl: string, name: string) {
    this.#running = this.#run(`${invokeUrl}/function/${name}`);
  }

  /** The failures, resets included; empty if there are none. */
  async end(): Promise<string[]> {
    this.#over = true;
    await this.#running;
    process.stdout.write(`${this.#seconds * 40} invocations meanwhile: ${this.#failed.length} failed\n`);
    return this.#failed;
  }

  async #run(url: string): Promise<void> {
    while (!this.#over) {
      await openLoop({
        rate: 40,
        count: 40,
        seed: ++this.#seconds,
        shot: () => ({ url }),
        onOutcome: ({ status, error, body }) => status !== 200 && this.#failed.push(`${status} ${error} ${body}`.slice(0, 200)),
      });
    }
  }
}
