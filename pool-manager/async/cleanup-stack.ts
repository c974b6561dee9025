/** A step that takes longer is left behind: what hangs must keep neither the Lease nor the process. */
const STEP_MS = 10_000;

/** What has been opened, and is to be ended again in the reverse order. */
export class CleanupStack {
  readonly #onError: (error: Error) => void;
  #steps: (() => unknown)[] = [];
  #isDone = false;

  /** `onError` is told of each step that fails, or takes too long; the others follow all the same. */
  constructor(onError: (error: Error) => void) {
    this.#onError = onError;
  }

  /** What is opened after everything was ended is ended at once. */
  add(step: () => unknown): void {
    if (this.#isDone) void this.#run(step);
    else this.#steps.unshift(step);
  }

  async all(): Promise<void> {
    this.#isDone = true;
    const steps = this.#steps;
    this.#steps = [];
    for (const step of steps) await this.#run(step);
  }

  async #run(step: () => unknown): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`a step of the end took longer than ${STEP_MS} ms`)), STEP_MS);
    });
    try {
      await Promise.race([(async () => step())(), tooLong]);
    } catch (error) {
      this.#onError(error as Error);
    } finally {
      clearTimeout(timer);
    }
  }
}
