/** Consecutive refusals after which an instance is given up; fewer may be a race with a change of leader. */
const REFUSALS = 3;

/**
 * Instances that refuse every load order because they have seen a later term than this leader's: the cluster's data, and
 * the term with it, was restored from a backup. They never accept an order of this leader and must be replaced. A stale
 * leader cannot replace them: its removals are fenced as well.
 */
export class FencingRefusals {
  readonly #refusals = new Map<string, number>();

  /** Counts a refusal; returns true if the instance is given up. */
  refused(uid: string): boolean {
    const count = (this.#refusals.get(uid) ?? 0) + 1;
    this.#refusals.set(uid, count);
    return count >= REFUSALS;
  }

  /** The instance has accepted an order, or is gone. */
  forget(uid: string): void {
    this.#refusals.delete(uid);
  }
}
