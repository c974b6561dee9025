/** An instance that others ended, and that nothing has replaced, is counted for this long. */
const LOSS_MS = 60_000;
/** One instance in five may be made unavailable at once. */
const SHARE = 5;

/**
 * How many of the functions' instances have to stay available when others delete or evict some. An instance that others
 * ended still counts, until another instance of its function takes its place or a minute is over: else each loss would
 * allow the next one, down to the last instance. What Berth itself ends does not count any more.
 */
export class Availability {
  /** Instances that serve a function, with its uid. */
  readonly #serving = new Map<string, string>();
  /** Instances that Berth itself has asked to end. */
  readonly #asked = new Set<string>();
  /** By function: when others ended instances of it. */
  readonly #losses = new Map<string, number[]>();

  /** Berth itself ends this instance. */
  asked(uid: string): void {
    if (this.#serving.has(uid)) this.#asked.add(uid);
  }

  /** `functionUid`: the function that this instance serves; null: none, or the instance has ended or is being deleted. */
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

  /** Instances that have to stay available: all but a fifth of them, and all but one where they are fewer than ten. */
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
