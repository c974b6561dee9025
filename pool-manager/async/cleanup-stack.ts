/** A step that takes longer is abandoned: a hanging step must not keep the Lease or the process. */
const STEP_MS = 10_000;

/** Cleanup steps that run in the reverse order of their registration. */
export class CleanupStack {
  readonly #onError: (error: Error) => void;
  #steps: (() => unknown)[] = [];
  #isDone = false;

  /** `onError` is called for each step that fails or takes too long; the remaining steps run all the same. */
  constructor(onError: (error: Error) => void) {
    this.#onError = onError;
  }

  /** Adds a step; after `all` it runs at once. */
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
      timer = setTimeout(() => reject(new Error(`a cleanup step took longer than ${STEP_MS} ms`)), STEP_MS);
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
