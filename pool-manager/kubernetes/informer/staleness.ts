/** Staleness is reported only after this long: an API server may merely be restarting. */
const REPORTED_AFTER_MS = 20_000;

/** Reports once that the cache of one kind of object is stale, and once that it is up to date again. */
export class StalenessReport {
  readonly #report: (message: string | null) => void;
  #failingSince: number | null = null;
  #isReported = false;

  constructor(report: (message: string | null) => void) {
    this.#report = report;
  }

  /** Records a failed update. `atOnce`: reports it immediately, because nothing is cached yet and a caller waits for it. */
  failed(message: string, atOnce: boolean): void {
    const now = performance.now();
    this.#failingSince ??= now;
    if (this.#isReported || (!atOnce && now - this.#failingSince < REPORTED_AFTER_MS)) return;
    this.#isReported = true;
    this.#report(message);
  }

  renewed(): void {
    this.#failingSince = null;
    if (!this.#isReported) return;
    this.#isReported = false;
    this.#report(null);
  }
}
