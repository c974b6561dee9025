/** Runs one piece of work after the other, in the order of arrival. */
export class Sequencer {
  #last: Promise<unknown> = Promise.resolve();

  /** Resolves and rejects as `work` does. A failure does not hold up the work behind it. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

/** Runs the work of each key one after the other; work of different keys runs concurrently. */
export class SequencerByKey {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Resolves and rejects as `work` does. A failure does not hold up the work behind it. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const result = (this.#last.get(key) ?? Promise.resolve()).then(work);
    const settled = result.catch(() => {});
    this.#last.set(key, settled);
    void settled.then(() => this.#last.get(key) === settled && this.#last.delete(key));
    return result;
  }
}
