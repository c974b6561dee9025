import { CHECK_INTERVAL_MS, isReleased, LEASE_MS, type Lease, TIMEOUT_MS } from "./lease.ts";

/** After this long without an answer, it is unknown whether the leader could renew. */
const BLIND_MS = TIMEOUT_MS + CHECK_INTERVAL_MS;

/**
 * Tracks for how long a Lease of another holder has not been renewed, by this process's own clock. After a time without
 * answers the count restarts: the leader, which could not renew either, gets the first chance.
 */
export class LeaseWatch {
  #mark: string | null = null;
  #since = 0;
  #seenAt = Number.NEGATIVE_INFINITY;

  /** Records the Lease as seen at `now`. Returns whether it has not changed for `LEASE_MS`. */
  saw(lease: Lease, now: number): boolean {
    const mark = markOf(lease);
    if (mark !== this.#mark || now - this.#seenAt > BLIND_MS) this.#since = now;
    this.#mark = mark;
    this.#seenAt = now;
    return now - this.#since >= LEASE_MS;
  }

  /** Records the Lease like `saw`. Returns whether it can be taken: a released Lease is free at once. */
  isFree(lease: Lease, now: number): boolean {
    const isLeft = this.saw(lease, now);
    return isLeft || isReleased(lease);
  }

  /** Whether the Lease has been renewed or changed since it was last seen. */
  hasChanged(lease: Lease): boolean {
    return this.#mark !== null && this.#mark !== markOf(lease);
  }

  forget(): void {
    this.#mark = null;
  }
}

/** The fields that every renewal or recreation changes. Labels and annotations do not count: others may edit them. */
function markOf({ metadata: { uid = "" }, spec = {} }: Lease): string {
  const { holderIdentity = "", renewTime = "", leaseTransitions = 0 } = spec;
  return `${uid} ${holderIdentity} ${renewTime} ${leaseTransitions}`;
}
