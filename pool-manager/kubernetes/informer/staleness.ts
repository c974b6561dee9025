/** What is not up to date for less than this is no news: an API server may be starting anew. */
const TOLD_AFTER_MS = 20_000;

/** Tells that what is known of the objects of one kind gets out of date, once, and once that it is up to date again. */
export class StalenessReport {
  readonly #tell: (message: string | null) => void;
  #failingSince: number | null = null;
  #isTold = false;

  constructor(tell: (message: string | null) => void) {
    this.#tell = tell;
  }

  /** It could not be brought up to date. `atOnce`: nothing is known at all, and somebody waits for it. */
  failed(message: string, atOnce: boolean): void {
    const now = performance.now();
    this.#failingSince ??= now;
    if (this.#isTold || (!atOnce && now - this.#failingSince < TOLD_AFTER_MS)) return;
    this.#isTold = true;
    this.#tell(message);
  }

  renewed(): void {
    this.#failingSince = null;
    if (!this.#isTold) return;
    this.#isTold = false;
    this.#tell(null);
  }
}
