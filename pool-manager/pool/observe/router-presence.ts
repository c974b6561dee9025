import { DEMAND_EXPIRY_MS } from "../../client/contract.ts";

/**
 * What a router that has fallen silent without a word may still use counts as in use for this long: it may be cut off and
 * go on. Afterwards it is taken for ended.
 */
export const UNKNOWN_MS = 3_600_000;

/** Most routers that are remembered. */
const MAX_ROUTERS = 10_000;

interface Known {
  /** Since when it has been heard without a gap. */
  since: number;
  at: number;
  /** It has said that it is about to stop, or is known to have ended: its silence means nothing. */
  leaving: boolean;
}

/** Which routers are heard, and which have fallen silent without having said that they leave. */
export class RouterPresence {
  readonly #known = new Map<string, Known>();

  heard(router: string, leaving: boolean, now: number): void {
    const known = this.#known.get(router);
    this.#known.delete(router);
    const since = known && now - known.at <= DEMAND_EXPIRY_MS ? known.since : now;
    this.#known.set(router, { since, at: now, leaving: leaving || (known?.leaving ?? false) });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_ROUTERS) break;
      this.#known.delete(oldest);
    }
  }

  /** There is no router of that id any more. Its reports that are on their way yet do not bring it back. */
  ended(router: string): void {
    const known = this.#known.get(router);
    if (known) known.leaving = true;
  }

  /** And has been for `forMs` without a gap. */
  isHeard(router: string, now: number, forMs = 0): boolean {
    const known = this.#known.get(router);
    return known !== undefined && now - known.at <= DEMAND_EXPIRY_MS && now - known.since >= forMs;
  }

  /** It is not heard, has not left, and may go on somewhere. */
  isMissed(router: string, now: number): boolean {
    const known = this.#known.get(router);
    return known !== undefined && isMissed(known, now);
  }

  /** Milliseconds since it was last heard. */
  silentMs(router: string, now: number): number {
    return now - (this.#known.get(router)?.at ?? now);
  }

  /** Some router has been heard, whatever has become of it. */
  get anybody(): boolean {
    return this.#known.size > 0;
  }

  isAnybodyHeard(now: number): boolean {
    return [...this.#known.values()].some(({ at }) => now - at <= DEMAND_EXPIRY_MS);
  }

  /** Routers are missed, and none is heard: that nothing is said means nothing. */
  isDeaf(now: number): boolean {
    return [...this.#known.values()].some((known) => isMissed(known, now)) && !this.isAnybodyHeard(now);
  }

  /** Forgets routers that nothing is expected of. */
  forget(now: number): void {
    for (const [router, { at }] of this.#known) if (now - at > 2 * UNKNOWN_MS) this.#known.delete(router);
  }
}

function isMissed({ at, leaving }: Known, now: number): boolean {
  const silentMs = now - at;
  return !leaving && silentMs > DEMAND_EXPIRY_MS && silentMs <= UNKNOWN_MS;
}
