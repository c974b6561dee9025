import { createRequire, syncBuiltinESMExports } from "node:module";
import { onTestFinished, vi } from "vitest";
import { random } from "../../bench/driver.ts";
import { VirtualTimers } from "./virtual-timers.ts";

/** The object behind `import … from "node:timers/promises"`: imports show its changes after `syncBuiltinESMExports`. */
const promises = createRequire(import.meta.url)("node:timers/promises") as { setTimeout: typeof virtualSleep };
const realSleep = promises.setTimeout;
/** The real one: everything that promises wait for runs before it. */
const turn = setImmediate;
/** A test that has not ended after so much virtual time never will. */
const LIMIT_MS = 30 * 24 * 3_600_000;

/**
 * Virtual time for code that uses the timers, clocks and random numbers of the process: all of them stand still but for
 * this. Time advances to the next timer as soon as all runnable work has run. The same seed gives the same run.
 */
export class VirtualTime {
  readonly random: () => number;
  readonly #timers = new VirtualTimers();
  #running = false;
  #ended = false;
  /** The first error that a timer's work has thrown, past all promises. */
  #thrown: unknown = null;
  #restoreRandom: () => void;

  private constructor(seed: number) {
    this.random = random(seed);
    vi.useFakeTimers({ now: Date.UTC(2026, 0, 1), toFake: ["Date", "performance"] });
    this.#timers.install();
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
    // A test that has timed out, and whose body still runs, would advance the clocks of the next one.
    onTestFinished(() => time.#giveBack());
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
    this.#giveBack();
    if (this.#thrown) throw this.#thrown;
  }

  #giveBack(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#running = false;
    this.#restoreRandom();
    this.#timers.uninstall();
    vi.useRealTimers();
    promises.setTimeout = realSleep;
    syncBuiltinESMExports();
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

  /** Advances time until the promise has settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = promise.finally(() => {
      settled = true;
    });
    done.catch(() => {});
    await this.#advance(() => settled);
    return done;
  }

  /** Advances time beside the test's own work, until the end. */
  start(): void {
    this.#running = true;
    void this.#advance(() => !this.#running);
  }

  /** Between two steps all that promises have waited for runs. */
  async #advance(isOver: () => boolean): Promise<void> {
    const limit = this.now() + LIMIT_MS;
    while (true) {
      await new Promise<void>((resolve) => turn(resolve));
      if (isOver() || this.#ended) return;
      if (this.now() > limit) throw new Error("virtual time has run out: what is waited for never happens");
      try {
        this.#advanceToNextTimer();
      } catch (error) {
        this.#thrown ??= error;
      }
    }
  }

  #advanceToNextTimer(): void {
    const at = this.#timers.next();
    if (at === null) return;
    vi.advanceTimersByTime(at - this.#timers.now);
    this.#timers.now = at;
    this.#timers.runDue();
  }
}

/** Replaces `setTimeout` of node:timers/promises, which fake timers do not replace. */
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
