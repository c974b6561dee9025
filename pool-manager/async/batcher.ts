interface Batch {
  waiting: { resolve: () => void; reject: (error: Error) => void }[];
  timer: NodeJS.Timeout | null;
  at: number;
}

/** Batches requests: those of the same name that arrive within a short time succeed or fail together. */
export class Batcher {
  readonly #everyMs: number;
  readonly #grant: (name: string, count: number) => Promise<void>;
  readonly #batches = new Map<string, Batch>();

  /** `grant` is called for each batch with its name and size. Two batches of one name are `everyMs` apart; the first one does not wait. */
  constructor(everyMs: number, grant: (name: string, count: number) => Promise<void>) {
    this.#everyMs = everyMs;
    this.#grant = grant;
  }

  join(name: string): Promise<void> {
    const batch = this.#batches.get(name) ?? { waiting: [], timer: null, at: Number.NEGATIVE_INFINITY };
    this.#batches.set(name, batch);
    return new Promise((resolve, reject) => {
      batch.waiting.push({ resolve, reject });
      batch.timer ??= setTimeout(() => void this.#flush(name, batch), Math.max(0, batch.at + this.#everyMs - performance.now()));
    });
  }

  async #flush(name: string, batch: Batch): Promise<void> {
    batch.timer = null;
    batch.at = performance.now();
    const waiting = batch.waiting.splice(0);
    try {
      await this.#grant(name, waiting.length);
      for (const { resolve } of waiting) resolve();
    } catch (error) {
      for (const { reject } of waiting) reject(error as Error);
    }
  }
}
