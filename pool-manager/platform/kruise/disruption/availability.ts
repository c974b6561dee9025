/** How long an instance that others ended still counts if nothing replaces it. */
const LOSS_MS = 60_000;
/** One instance in this many may be unavailable at once. */
const SHARE = 5;

/**
 * Computes how many of the functions' instances must stay available when others delete or evict pods. An instance that
 * others ended counts until another instance of its function replaces it or a minute has passed: otherwise each loss would
 * allow the next one, down to the last instance. An instance that Berth ended does not count.
 */
export class Availability {
  /** Uids of functions by the uid of an instance that serves them. */
  readonly #serving = new Map<string, string>();
  /** Uids of instances that Berth itself removes. */
  readonly #asked = new Set<string>();
  /** When others ended instances, by the function's uid. */
  readonly #losses = new Map<string, number[]>();

  /** Records that Berth itself removes this instance. */
  asked(uid: string): void {
    if (this.#serving.has(uid)) this.#asked.add(uid);
  }

  /** Records the function that this instance serves; null: none, or the instance has ended or is being deleted. */
  observe(uid: string, functionUid: string | null, now: number): void {
    const before = this.#serving.get(uid);
    if (functionUid !== null) {
      this.#serving.set(uid, functionUid);
      if (before === undefined) this.#losses.get(functionUid)?.shift();
    } else if (before !== undefined) {
      this.#serving.delete(uid);
      if (!this.#asked.delete(uid)) this.#losses.set(before, [...(this.#losses.get(before) ?? []), now]);
    }
  }

  /** The number of instances that must stay available: all but a fifth, or all but one if there are fewer than ten. */
  required(now: number): number {
    for (const [functionUid, times] of this.#losses) {
      const recent = times.filter((at) => now - at < LOSS_MS);
      if (recent.length > 0) this.#losses.set(functionUid, recent);
      else this.#losses.delete(functionUid);
    }
    const total = this.#serving.size + [...this.#losses.values()].reduce((sum, times) => sum + times.length, 0);
    return Math.max(0, total - Math.max(1, Math.floor(total / SHARE)));
  }
}
