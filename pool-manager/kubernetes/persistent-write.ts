import type { KubeError } from "./error.ts";

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** What was written is written again after this: somebody may have undone it. */
const REWRITE_MS = 300_000;

/** A write that nothing waits for: it is tried until it succeeds, in growing pauses, and made again now and then. */
export class PersistentWrite {
  readonly #rewriteMs: number;
  readonly #write: () => Promise<unknown>;
  readonly #onTrouble: (message: string | null) => void;
  #pauseMs = FIRST_PAUSE_MS;
  #isTold = false;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;
  #isWriting = false;
  /** The write that is under way carries an outdated value. */
  #isOutdated = false;

  /** `onTrouble` is told once that it fails, and null once it has succeeded after that. */
  constructor(write: () => Promise<unknown>, onTrouble: (message: string | null) => void, rewriteMs = REWRITE_MS) {
    this.#rewriteMs = rewriteMs;
    this.#write = write;
    this.#onTrouble = onTrouble;
    void this.#try();
  }

  /** There is something else to write: it is written at once, or after the write that is under way; one that fails keeps its pauses. */
  rewrite(): void {
    if (this.#closed) return;
    if (this.#isWriting) this.#isOutdated = true;
    else if (this.#pauseMs === FIRST_PAUSE_MS) void this.#try();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  async #try(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    [this.#isWriting, this.#isOutdated] = [true, false];
    const failure = await this.#write().then(
      () => null,
      (error: KubeError) => error,
    );
    this.#isWriting = false;
    if (this.#closed) return;
    this.#tell(failure);
    if (!failure && this.#isOutdated) return this.#try();
    const pauseMs = failure ? Math.max(this.#pauseMs, Math.min(failure.retryAfterMs ?? 0, LONGEST_PAUSE_MS)) : this.#rewriteMs;
    this.#pauseMs = failure ? Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS;
    this.#timer = setTimeout(() => void this.#try(), pauseMs).unref();
  }

  #tell(failure: KubeError | null): void {
    // A leader in doubt writes nothing at all, and says so itself.
    if (failure?.reason === "InDoubt" || (failure !== null) === this.#isTold) return;
    this.#isTold = failure !== null;
    this.#onTrouble(failure?.message ?? null);
  }
}
