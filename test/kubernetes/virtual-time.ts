import { createRequire, syncBuiltinESMExports } from "node:module";
import { vi } from "vitest";
import { random } from "../../bench/driver.ts";

/** What `import … from "node:timers/promises"` shows, once it was synchronized. */
const promises = createRequire(import.meta.url)("node:timers/promises") as { setTimeout: typeof virtualSleep };
const realSleep = promises.setTimeout;
/** The real one: all else that promises wait for runs before it. */
const turn = setImmediate;
/** A test that has not ended after so much virtual time never will. Milliseconds. */
const LIMIT_MS = 30 * 24 * 3_600_000;

/**
 * Virtual time for code that uses the timers, clocks and random numbers of the process: all of them stand still but for
 * this. Time goes on to the next timer as soon as all that could run has run. The same seed gives the same run.
 */
export class VirtualTime {
  readonly random: () => number;
  #running = false;
  /** The first error that a timer's work has thrown, past all promises. */
  #thrown: unknown = null;
  #restoreRandom: () => void;

  private constructor(seed: number) {
    this.random = random(seed);
    vi.useFakeTimers({
      now: Date.UTC(2026, 0, 1),
      toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "setImmediate", "clearImmediate", "Date", "performance"],
    });
    promises.setTimeout = virtualSleep;
    syncBuiltinESMExports();
    const spy = vi.spyOn(Math, "random").mockImplementation(this.random);
    this.#restoreRandom = () => spy.mockRestore();
  }

  /** Takes over the clocks; `end` gives them back. */
  static begin(seed: number): VirtualTime {
    return new VirtualTime(seed);
  }

  /** Runs `body` in virtual time from its first moment to its end. */
  static async run<T>(seed: number, body: (time: VirtualTime) => Promise<T>): Promise<T> {
    const time = VirtualTime.begin(seed);
    const ran = await time.until(body(time)).then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    );
    time.end();
    if ("error" in ran) throw ran.error;
    return ran.result;
  }

  /** Throws what a timer's work has thrown meanwhile. */
  end(): void {
    this.#running = false;
    this.#restoreRandom();
    vi.useRealTimers();
    promises.setTimeout = realSleep;
    syncBuiltinESMExports();
    if (this.#thrown) throw this.#thrown;
  }

  now(): number {
    return performance.now();
  }

  between(from: number, to: number): number {
    return from + this.random() * (to - from);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)] as T;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Waits, within a run, until a condition holds. Rejects after `ms` of virtual time. */
  async reach(check: () => boolean, what: string, ms = 60_000): Promise<void> {
    for (const deadline = this.now() + ms; !check(); await this.sleep(5)) {
      if (this.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    }
  }

  /** Lets time go on until the promise has settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = promise.finally(() => {
      settled = true;
    });
    done.catch(() => {});
    await this.#advance(() => settled);
    return done;
  }

  /** Lets time go on beside what the test does, until the end. */
  start(): void {
    this.#running = true;
    void this.#advance(() => !this.#running);
  }

  /** Between two steps all that promises have waited for runs. */
  async #advance(isOver: () => boolean): Promise<void> {
    const limit = this.now() + LIMIT_MS;
    while (true) {
      await new Promise<void>((resolve) => turn(resolve));
      if (isOver()) return;
      if (this.now() > limit) throw new Error("virtual time has run out: what is waited for never happens");
      try {
        vi.advanceTimersToNextTimer();
      } catch (error) {
        this.#thrown ??= error;
      }
    }
  }
}

/** As `setTimeout` of node:timers/promises, which fake timers leave as it is. */
function virtualSleep<T>(ms = 0, value?: T, { signal }: { signal?: AbortSignal } = {}): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(Object.assign(new Error("The operation was aborted", { cause: signal?.reason }), { name: "AbortError", code: "ABORT_ERR" }));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve(value as T);
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}
