import { expiry } from "../../pool-manager/client/expiry.ts";

/** How long a request for an unknown function waits for a table that is up to date. */
const HOLD_MS = 2000;
const MAX_HELD = 1000;

/**
 * Requests for functions that the table does not have while it may be out of date: one that was just deployed is not
 * unknown, this router only has not heard of it yet.
 */
export class PendingLookups {
  readonly #waiting = new Set<() => void>();

  /** Calls `again` once the table is fresh, or the time is up; false: too many wait. */
  hold(exchange: { onClose(listener: () => void): void }, again: () => void): boolean {
    if (this.#waiting.size >= MAX_HELD) return false;
    const end = (how: () => void) => {
      endTimer();
      this.#waiting.delete(served);
      how();
    };
    const served = () => end(again);
    const endTimer = expiry(HOLD_MS, served);
    this.#waiting.add(served);
    exchange.onClose(() => end(() => {}));
    return true;
  }

  /** The table is up to date. */
  release(): void {
    for (const served of [...this.#waiting]) served();
  }
}
