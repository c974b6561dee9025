/** Who leads and has not begun to serve by then lets another one try. */
const SERVE_MS = 60_000;

/** Bounds what a start may take from when it leads: a leader that serves nobody would keep all others from leading. */
export class StartDeadline {
  readonly #late = new AbortController();
  /** Aborted when the start is to end: it was told to stop, or is too late. */
  readonly signal: AbortSignal;
  #timer: NodeJS.Timeout | null = null;

  constructor(stop: AbortSignal) {
    this.signal = AbortSignal.any([stop, this.#late.signal]);
  }

  /** From now on it is to serve within the bound. */
  begin(): void {
    this.#timer = setTimeout(() => this.#late.abort(new Error(`leading, but not able to serve within ${SERVE_MS / 1000} s`)), SERVE_MS);
  }

  /** Resolves and rejects with `work`, and rejects where that is too late: whatever it still does is left to itself. */
  async bound<T>(work: Promise<T>): Promise<T> {
    const late = new Promise<never>((_resolve, reject) => {
      this.#late.signal.addEventListener("abort", () => reject(this.#late.signal.reason), { once: true });
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      if (this.#timer) clearTimeout(this.#timer);
    }
  }
}
