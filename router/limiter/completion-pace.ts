/** Weight of the latest interval in the moving average. */
const WEIGHT = 0.2;

/** The pace at which invocations of a busy function end, from which the wait behind them is estimated. */
export class CompletionPace {
  /** Moving average of the interval between two ends; null: none has ended yet. */
  #meanMs: number | null = null;
  /** When the last one ended, or when the function became busy. */
  #since = 0;

  /** Starts the first interval of a function that was idle. */
  begins(now: number): void {
    this.#since = now;
  }

  ended(now: number): void {
    const intervalMs = now - this.#since;
    this.#since = now;
    this.#meanMs = this.#meanMs === null ? intervalMs : this.#meanMs + WEIGHT * (intervalMs - this.#meanMs);
  }

  /** Milliseconds until `count` more have ended in a busy function. If the current interval is already longer than the average, all further ones are assumed to be as long. */
  untilEnded(count: number, now: number): number {
    return count * Math.max(this.#meanMs ?? 0, now - this.#since);
  }
}
