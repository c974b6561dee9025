/** A leader that does not serve within this time gives up its leadership. */
const SERVE_MS = 60_000;

/** Bounds the time from leadership to serving: a leader that does not serve would prevent others from leading. */
export class StartDeadline {
  readonly #late = new AbortController();
  /** Aborts when the start must end, because of `stop` or the deadline. */
  readonly signal: AbortSignal;
  #timer: NodeJS.Timeout | null = null;

  constructor(stop: AbortSignal) {
    this.signal = AbortSignal.any([stop, this.#late.signal]);
  }

  /** Starts the deadline. */
  begin(): void {
    this.#timer = setTimeout(() => this.#late.abort(new Error(`leading, but not able to serve within ${SERVE_MS / 1000} s`)), SERVE_MS);
  }

  /** Settles with `work`, or rejects at the deadline, without cancelling `work`. */
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
