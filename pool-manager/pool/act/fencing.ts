/** The first refusals may be a race with a change of leaders. */
const REFUSALS = 3;

/**
 * Instances that refuse each order since they have heard of a later term than this leader's: the cluster's data came back
 * from a backup, and terms with it. They never take an order of this leader, and have to be replaced. A leader that is
 * not the last one does not come to that: it may end nothing.
 */
export class FencingRefusals {
  readonly #refusals = new Map<string, number>();

  /** It has refused another order; true: it always will. */
  refused(uid: string): boolean {
    const count = (this.#refusals.get(uid) ?? 0) + 1;
    this.#refusals.set(uid, count);
    return count >= REFUSALS;
  }

  /** It has taken an order, or is gone. */
  forget(uid: string): void {
    this.#refusals.delete(uid);
  }
}
