/** Pauses between attempts: each is a multiple of the one before, up to the longest. */
export class Backoff {
  readonly #firstMs: number;
  readonly #longestMs: number;
  readonly #factor: number;
  #pauseMs: number;

  constructor(firstMs: number, longestMs: number, factor = 2) {
    this.#firstMs = firstMs;
    this.#longestMs = longestMs;
    this.#factor = factor;
    this.#pauseMs = firstMs;
  }

  /** The pause before the next attempt. */
  get pauseMs(): number {
    return this.#pauseMs;
  }

  /** No attempt has failed since the last success. */
  get isFirst(): boolean {
    return this.#pauseMs === this.#firstMs;
  }

  /** Returns the pause before the next attempt; the one after that is longer. */
  next(): number {
    const pauseMs = this.#pauseMs;
    this.grow();
    return pauseMs;
  }

  grow(): void {
    this.#pauseMs = Math.min(this.#pauseMs * this.#factor, this.#longestMs);
  }

  /** Another attempt soon is of no use: the next pause is the longest. */
  exhaust(): void {
    this.#pauseMs = this.#longestMs;
  }

  /** An attempt has succeeded. */
  reset(): void {
    this.#pauseMs = this.#firstMs;
  }
}
