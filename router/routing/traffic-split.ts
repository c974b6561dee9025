/** Shares in percent; the rest of 100 is the active revision's. */
export type Shares = readonly { revision: string; percent: number }[];

interface Share {
  revision: string | null;
  percent: number;
  credit: number;
}

/**
 * Distributes invocations evenly rather than by chance: after any number of them each revision is off by at most one for
 * each share (smooth weighted round robin, as in nginx).
 */
export class TrafficSplit {
  readonly #text: string;
  readonly #shares: Share[];

  constructor(shares: Shares) {
    this.#text = JSON.stringify(shares);
    const rest = shares.reduce((left, { percent }) => left - percent, 100);
    this.#shares = [{ revision: null, percent: rest, credit: 0 }, ...shares.map((share) => ({ ...share, credit: 0 }))];
  }

  /** This split, with its state, if the shares are the same; else a new one. */
  with(shares: Shares): TrafficSplit {
    return JSON.stringify(shares) === this.#text ? this : new TrafficSplit(shares);
  }

  /** The revision of the next invocation; null: the active one, which has the rest. */
  next(): string | null {
    if (this.#shares.length === 1) return null;
    let best = this.#shares[0] as Share;
    for (const share of this.#shares) {
      share.credit += share.percent;
      if (share.credit > best.credit) best = share;
    }
    best.credit -= 100;
    return best.revision;
  }
}
