/** Weight of the last interval. */
const WEIGHT = 0.2;

/** How quickly one invocation after the other of a function ends while it is busy: what waiting behind them will take. */
export class CompletionPace {
  /** Mean interval between two ends, in milliseconds; null: none has ended yet. */
  #meanMs: number | null = null;
  /** When the last one ended, or the function became busy. */
  #since = 0;

  /** The function was idle, and is not any more. */
  begins(now: number): void {
    this.#since = now;
  }

  ended(now: number): void {
    const intervalMs = now - this.#since;
    this.#since = now;
    this.#meanMs = this.#meanMs === null ? intervalMs : this.#meanMs + WEIGHT * (intervalMs - this.#meanMs);
  }

  /** Milliseconds until so many more have ended, in a busy function. Where the present one takes longer than those before, all will. */
  untilEnded(count: number, now: number): number {
    return count * Math.max(this.#meanMs ?? 0, now - this.#since);
  }
}
