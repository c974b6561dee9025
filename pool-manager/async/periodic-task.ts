/** Work that is done again and again, with a pause between. A round that fails is told once, and the end of that too; it ends nothing. */
export class PeriodicTask {
  readonly #work: () => Promise<void>;
  readonly #everyMs: number;
  readonly #onTrouble: (message: string | null) => void;
  #timer: NodeJS.Timeout | null = null;
  #told: string | null = null;

  /** `onTrouble` is told why a round has failed, once for each change of the reason, and null when one has succeeded again. */
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
    // Whatever the work does before its first pause counts as its failure too.
    const trouble = await Promise.resolve()
      .then(this.#work)
      .then(
        () => null,
        (error: Error) => error.message,
      );
    if (trouble === this.#told || !this.#timer) return;
    this.#told = trouble;
    this.#onTrouble(trouble);
  }
}
