/** The largest number of refills that are outstanding: no pool has more instances. */
const MOST = 5000;

/** How fast a pool is refilled. */
export interface RefillPace {
  /** Time from the start of a refill until its instance is prewarmed. */
  refillMs: number;
  /** Refills that run concurrently. */
  refills: number;
}

/**
 * The refills that claims leave behind, whatever the pool's size: each claim takes an instance and begins one refill, and
 * `refills` of them run at a time. The number of outstanding ones at a claim is its depth. Times are the caller's.
 */
export class RefillLine {
  /** When each outstanding refill will be done, earliest first. */
  #ends: number[] = [];
  #at: number | null = null;

  /** The number of outstanding refills after the last call. */
  get depth(): number {
    return this.#ends.length;
  }

  /** Advances to `now`; `spent` receives how long each depth above 0 lasted, and when that was over. */
  advance(now: number, spent: (depth: number, ms: number, until: number) => void): void {
    let at = this.#at ?? now;
    this.#at = Math.max(at, now);
    while (this.#ends.length > 0 && at < now) {
      const until = Math.min(now, this.#ends[0] as number);
      if (until > at) spent(this.#ends.length, until - at, until);
      at = Math.max(at, until);
      while (this.#ends.length > 0 && (this.#ends[0] as number) <= at) this.#ends.shift();
    }
  }

  /** A claim at `now`, to which the line has advanced. Returns its depth. */
  claim(now: number, { refillMs, refills }: RefillPace): number {
    const depth = this.#ends.length;
    if (depth >= MOST) return depth;
    const before = this.#ends[depth - Math.max(1, refills)] ?? now;
    const end = Math.max(now, before) + refillMs;
    this.#ends.push(Math.max(end, this.#ends[depth - 1] ?? 0));
    return depth;
  }
}
