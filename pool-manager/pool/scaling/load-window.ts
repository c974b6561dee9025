import { TimeBuckets } from "./time-buckets.ts";

/** Buckets of a window; the panic window has a tenth of them. */
const BUCKETS = 60;
const PANIC_BUCKETS = BUCKETS / 10;

/** A revision's concurrency over time, averaged over a window and over its last tenth, the panic window. */
export class LoadWindow {
  readonly windowMs: number;
  readonly #buckets: TimeBuckets;
  /** Since when the concurrency is known. */
  #since: number;
  #sampledAt: number;
  #level = 0;

  /** `isNew`: the revision is known to have had no invocations before. */
  constructor(windowMs: number, now: number, isNew: boolean) {
    this.windowMs = windowMs;
    this.#buckets = new TimeBuckets(BUCKETS, windowMs / BUCKETS);
    this.#since = isNew ? Number.NEGATIVE_INFINITY : now;
    this.#sampledAt = now;
  }

  /** Records the concurrency from now on: waiting and running invocations. */
  sample(now: number, level: number): void {
    this.#buckets.integrate(this.#sampledAt, now, this.#level);
    this.#sampledAt = now;
    this.#level = level;
  }

  get panicMs(): number {
    return (PANIC_BUCKETS / BUCKETS) * this.windowMs;
  }

  /** The averages at the time of the last sample. */
  averages(): { stable: number; panic: number } {
    return { stable: this.#average(BUCKETS), panic: this.#average(PANIC_BUCKETS) };
  }

  /** True if the concurrency is known of a whole window. */
  get isFull(): boolean {
    return this.#sampledAt - this.#since >= this.windowMs;
  }

  /** Adds the load of another revision of the same function, whose invocations go to this one from now on. */
  add(other: LoadWindow): void {
    other.sample(this.#sampledAt, other.#level);
    this.#buckets.add(other.#buckets);
    this.#since = Math.max(this.#since, other.#since);
  }

  #average(buckets: number): number {
    const spanMs = (buckets / BUCKETS) * this.windowMs;
    const knownMs = Math.min(spanMs, this.#sampledAt - this.#since);
    return knownMs <= 0 ? this.#level : this.#buckets.sum(this.#sampledAt, buckets) / knownMs;
  }
}
