/** Width of a bin, in milliseconds. */
export const BIN_MS = 60_000;
/** Bins of a histogram: four hours. */
export const BINS = 240;
/** Above this total every count is halved, so that a new habit of a function outweighs an old one. */
const MOST = 400;

/** Idle times of a function by bin. `beyond`: those longer than the last bin. */
export interface IdleCounts {
  /** Bin and count in turn of the bins that are not empty, by bin. */
  bins: readonly (readonly [bin: number, count: number])[];
  beyond: number;
}

/**
 * A histogram of a function's idle times, each from the end of its last invocation to the arrival of the next.
 * Bounded: at most `BINS` bins, and a total of at most `MOST`.
 */
export class IdleHistogram {
  readonly #bins = new Map<number, number>();
  #beyond: number;
  #total: number;

  constructor({ bins, beyond }: IdleCounts = { bins: [], beyond: 0 }) {
    for (const [bin, count] of bins) this.#bins.set(bin, count);
    this.#beyond = beyond;
    this.#total = bins.reduce((sum, [, count]) => sum + count, beyond);
  }

  get total(): number {
    return this.#total;
  }

  add(idleMs: number): void {
    const bin = Math.floor(Math.max(0, idleMs) / BIN_MS);
    if (bin < BINS) this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + 1);
    else this.#beyond += 1;
    this.#total += 1;
    if (this.#total > MOST) this.#halve();
  }

  counts(): IdleCounts {
    return { bins: [...this.#bins].sort(([a], [b]) => a - b), beyond: this.#beyond };
  }

  /** Rounds down, so that what was rare and long ago is forgotten. */
  #halve(): void {
    this.#beyond = Math.floor(this.#beyond / 2);
    this.#total = this.#beyond;
    for (const [bin, count] of this.#bins) {
      const half = Math.floor(count / 2);
      if (half > 0) this.#bins.set(bin, half);
      else this.#bins.delete(bin);
      this.#total += half;
    }
  }
}
