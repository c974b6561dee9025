import { outlookOf } from "../../kubernetes/retry.ts";

/** What could not be written is tried again after this, then after longer and longer. */
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;
/** So many are kept; the oldest give way. */
const MAX_KEPT = 100;
/** Older ones are of no use any more: as long as Kubernetes keeps Events. */
const MAX_AGE_MS = 3_600_000;

/** What could not be written for a reason that may pass: written when that is possible again, the latest of each key. */
export class Unwritten<T> {
  readonly #write: (item: T) => Promise<unknown>;
  readonly #items = new Map<string, { item: T; at: number }>();
  #timer: NodeJS.Timeout | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  #isTrying = false;
  #closed = false;

  constructor(write: (item: T) => Promise<unknown>) {
    this.#write = write;
  }

  /** It could not be written because of this error; nothing is kept where that does not pass. */
  keep(key: string, item: T, error: unknown): void {
    if (this.#closed || outlookOf(error) === "final") return;
    this.#items.delete(key);
    this.#items.set(key, { item, at: performance.now() });
    for (const oldest of this.#items.keys()) {
      if (this.#items.size <= MAX_KEPT) break;
      this.#items.delete(oldest);
    }
    this.#later();
  }

  /** A later one of its key takes its place. */
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
    }, this.#pauseMs);
    this.#timer.unref();
  }

  /** One after the other, until one of them fails: the rest would fare the same. Never rejects. */
  async #round(): Promise<void> {
    this.#isTrying = true;
    for (const [key, kept] of [...this.#items]) {
      if (this.#items.get(key) !== kept) continue;
      const error = performance.now() - kept.at > MAX_AGE_MS ? null : await this.#tried(kept.item);
      const isOver = error === null || outlookOf(error) === "final";
      if (isOver && this.#items.get(key) === kept) this.#items.delete(key);
      if (!isOver) break;
      this.#pauseMs = FIRST_PAUSE_MS;
    }
    this.#isTrying = false;
    if (this.#items.size === 0) return;
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    this.#later();
  }

  /** Null: it is written. Who writes tells of what fails. */
  #tried(item: T): Promise<unknown> {
    return Promise.resolve(item)
      .then(this.#write)
      .then(
        () => null,
        (error: unknown) => error ?? new Error("unknown"),
      );
  }
}
