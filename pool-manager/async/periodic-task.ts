/** Repeats work with a pause of `everyMs` between rounds. A failed round does not end the repetition. */
export class PeriodicTask {
  readonly #work: () => Promise<void>;
  readonly #everyMs: number;
  readonly #onTrouble: (message: string | null) => void;
  #timer: NodeJS.Timeout | null = null;
  #reported: string | null = null;

  /** `onTrouble` receives the reason of a failed round, once for each change of it, and null once a round succeeds. */
  constructor(work: () => Promise<void>, everyMs: number, onTrouble: (message: string | null) => void) {
    this.#work = work;
    this.#everyMs = everyMs;
    this.#onTrouble = onTrouble;
  }

  start(): void {
    this.#timer = setTimeout(() => void this.#round().finally(() => this.#timer && this.start()), this.#everyMs);
    this.#timer.unref();
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #round(): Promise<void> {
    // A synchronous exception of the work counts as a failure too.
    const trouble = await Promise.resolve()
      .then(this.#work)
      .then(
        () => null,
        (error: Error) => error.message,
      );
    if (trouble === this.#reported || !this.#timer) return;
    this.#reported = trouble;
    this.#onTrouble(trouble);
  }
}
