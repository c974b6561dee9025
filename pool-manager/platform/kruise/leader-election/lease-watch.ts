import { CHECK_INTERVAL_MS, isReleased, LEASE_MS, type Lease, TIMEOUT_MS } from "./lease.ts";

/** Without an answer for this long nobody can tell whether the leader could renew. */
const BLIND_MS = TIMEOUT_MS + CHECK_INTERVAL_MS;

/**
 * What somebody who does not hold the Lease knows of it: since when nobody has renewed it, by the own clock. After a time
 * without answers the count begins anew: the leader, which could not renew either, goes first.
 */
export class LeaseWatch {
  #mark: string | null = null;
  #since = 0;
  #seenAt = Number.NEGATIVE_INFINITY;

  /** The Lease was seen like this at `now`. Returns whether it has been left alone for a whole `LEASE_MS`. */
  saw(lease: Lease, now: number): boolean {
    const mark = markOf(lease);
    if (mark !== this.#mark || now - this.#seenAt > BLIND_MS) this.#since = now;
    this.#mark = mark;
    this.#seenAt = now;
    return now - this.#since >= LEASE_MS;
  }

  /** As `saw`; a Lease whose leader has let go is free at once. */
  isFree(lease: Lease, now: number): boolean {
    const isLeft = this.saw(lease, now);
    return isLeft || isReleased(lease);
  }

  /** Somebody has renewed or changed it since it was seen last. */
  hasChanged(lease: Lease): boolean {
    return this.#mark !== null && this.#mark !== markOf(lease);
  }

  forget(): void {
    this.#mark = null;
  }
}

/** What each renewal changes, and each Lease that is made in place of a deleted one; labels and annotations are anybody's. */
function markOf({ metadata: { uid = "" }, spec = {} }: Lease): string {
  const { holderIdentity = "", renewTime = "", leaseTransitions = 0 } = spec;
  return `${uid} ${holderIdentity} ${renewTime} ${leaseTransitions}`;
}
