import type { Clock } from "../clock.ts";

/** How long a request for an unknown function waits for a table that is up to date. */
const HOLD_MS = 2000;
const MAX_HELD = 1000;

/**
 * Requests for functions that are not in the table while it may be stale: a function that was just deployed exists
 * before this router learns of it.
 */
export class PendingLookups {
  readonly #waiting = new Set<() => void>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `retry` once the table is up to date or the time is up; false: too many requests wait. */
  hold(exchange: { onClose(listener: () => void): void }, retry: () => void): boolean {
    if (this.#waiting.size >= MAX_HELD) return false;
    const end = (how: () => void) => {
      endTimer();
      this.#waiting.delete(served);
      how();
    };
    const served = () => end(retry);
    const endTimer = this.#clock.after(HOLD_MS, served);
    this.#waiting.add(served);
    exchange.onClose(() => end(() => {}));
    return true;
  }

  /** Retries all: the table is up to date. */
  release(): void {
    for (const served of [...this.#waiting]) served();
  }
}
