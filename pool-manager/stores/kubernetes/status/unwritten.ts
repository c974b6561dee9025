import { Backoff } from "../../../async/backoff.ts";
import { BoundedMap } from "../../../collections/bounded.ts";
import { outlookOf } from "../../../kubernetes/retry.ts";

/** The pause before the first retry; it doubles each time. */
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;
/** How many items are kept; the oldest are dropped. */
const MAX_KEPT = 100;
/** Items are dropped at this age, which is how long Kubernetes keeps Events. */
const MAX_AGE_MS = 3_600_000;

/** Retries writes that failed for a transient reason: only the latest item of each key. */
export class Unwritten<T> {
  readonly #write: (item: T) => Promise<unknown>;
  readonly #items = new BoundedMap<string, { item: T; at: number }>(MAX_KEPT);
  #timer: NodeJS.Timeout | null = null;
  readonly #backoff = new Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
  #isTrying = false;
  #closed = false;

  constructor(write: (item: T) => Promise<unknown>) {
    this.#write = write;
  }

  /** Keeps an item whose write failed with this error, unless the error is final. */
  keep(key: string, item: T, error: unknown): void {
    if (this.#closed || outlookOf(error) === "final") return;
    this.#items.set(key, { item, at: performance.now() });
    this.#later();
  }

  /** Drops the kept item of a key that a later one replaces. */
  drop(key: string): void {
    this.#items.delete(key);
  }

  close(): void {
    this.#closed = true;
    this.#items.clear();
    if (this.#timer) clearTimeout(this.#timer);
  }

  #later(): void {
    if (this.#timer || this.#isTrying || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#round();
    }, this.#backoff.pauseMs);
    this.#timer.unref();
  }

  /** Writes the items one at a time until one fails: the rest would probably fail too. Never rejects. */
  async #round(): Promise<void> {
    this.#isTrying = true;
    for (const [key, kept] of [...this.#items]) {
      if (this.#items.get(key) !== kept) continue;
      const error = performance.now() - kept.at > MAX_AGE_MS ? null : await this.#tried(kept.item);
      const isOver = error === null || outlookOf(error) === "final";
      if (isOver && this.#items.get(key) === kept) this.#items.delete(key);
      if (!isOver) break;
      this.#backoff.reset();
    }
    this.#isTrying = false;
    if (this.#items.size === 0) return;
    this.#backoff.grow();
    this.#later();
  }

  /** Writes an item and resolves with its error; null: it is written. The writer reports errors. */
  #tried(item: T): Promise<unknown> {
    return Promise.resolve(item)
      .then(this.#write)
      .then(
        () => null,
        (error: unknown) => error ?? new Error("unknown"),
      );
  }
}
