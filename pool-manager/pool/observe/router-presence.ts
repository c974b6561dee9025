import { DEMAND_EXPIRY_MS } from "../../client/contract.ts";
import { BoundedMap } from "../../collections/bounded.ts";

/**
 * How long the instances of a router that stopped reporting without having said that it leaves count as in use: it may
 * be partitioned and still serving. Afterwards it counts as ended.
 */
export const UNKNOWN_MS = 3_600_000;

/** Maximum number of routers that are remembered. */
const MAX_ROUTERS = 10_000;

interface Known {
  /** Since when it has reported without a gap. */
  since: number;
  at: number;
  /** True if it has said that it leaves, or is known to have ended: its silence is expected. */
  leaving: boolean;
}

/** The routers that are live, and those that are silent without having said that they leave. */
export class RouterPresence {
  readonly #known = new BoundedMap<string, Known>(MAX_ROUTERS);

  heard(router: string, leaving: boolean, now: number): void {
    const known = this.#known.get(router);
    const since = known && now - known.at <= DEMAND_EXPIRY_MS ? known.since : now;
    this.#known.set(router, { since, at: now, leaving: leaving || (known?.leaving ?? false) });
  }

  /** The router with this id has ended. Reports of it that are still in flight do not revive it. */
  ended(router: string): void {
    const known = this.#known.get(router);
    if (known) known.leaving = true;
  }

  /** True if it is live, and has been for `forMs` without a gap. */
  isHeard(router: string, now: number, forMs = 0): boolean {
    const known = this.#known.get(router);
    return known !== undefined && now - known.at <= DEMAND_EXPIRY_MS && now - known.since >= forMs;
  }

  /** True if it is silent, has not left, and may still be serving. */
  isMissed(router: string, now: number): boolean {
    const known = this.#known.get(router);
    return known !== undefined && isMissed(known, now);
  }

  /** Milliseconds since it was last heard. */
  silentMs(router: string, now: number): number {
    return now - (this.#known.get(router)?.at ?? now);
  }

  /** True if any router has ever reported. */
  get anybody(): boolean {
    return this.#known.size > 0;
  }

  isAnybodyHeard(now: number): boolean {
    return [...this.#known.values()].some(({ at }) => now - at <= DEMAND_EXPIRY_MS);
  }

  /** True if routers are missed and none is live: then the absence of reports proves nothing. */
  isDeaf(now: number): boolean {
    return [...this.#known.values()].some((known) => isMissed(known, now)) && !this.isAnybodyHeard(now);
  }

  /** Forgets routers that have been silent for twice `UNKNOWN_MS`. */
  forget(now: number): void {
    for (const [router, { at }] of this.#known) if (now - at > 2 * UNKNOWN_MS) this.#known.delete(router);
  }
}

function isMissed({ at, leaving }: Known, now: number): boolean {
  const silentMs = now - at;
  return !leaving && silentMs > DEMAND_EXPIRY_MS && silentMs <= UNKNOWN_MS;
}
