import { Backoff } from "../async/backoff.ts";
import type { KubeError } from "./error.ts";

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** A successful write is repeated after this long: others may have undone it. */
const REWRITE_MS = 300_000;

/** A background write that is retried with growing pauses until it succeeds, and repeated regularly. */
export class PersistentWrite {
  readonly #rewriteMs: number;
  readonly #write: () => Promise<unknown>;
  readonly #onTrouble: (message: string | null) => void;
  readonly #backoff = new Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
  #isReported = false;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;
  #isWriting = false;
  /** The write in flight carries an outdated value. */
  #isOutdated = false;

  /** `onTrouble` is called once with the reason of a failure, and with null once the write succeeds after it. */
  constructor(write: () => Promise<unknown>, onTrouble: (message: string | null) => void, rewriteMs = REWRITE_MS) {
    this.#rewriteMs = rewriteMs;
    this.#write = write;
    this.#onTrouble = onTrouble;
    void this.#try();
  }

  /** Writes a changed value: at once, or after the write in flight. While writes fail, the pauses stay as they are. */
  rewrite(): void {
    if (this.#closed) return;
    if (this.#isWriting) this.#isOutdated = true;
    else if (this.#backoff.isFirst) void this.#try();
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
    const pauseMs = failure ? Math.max(this.#backoff.next(), Math.min(failure.retryAfterMs ?? 0, LONGEST_PAUSE_MS)) : this.#rewriteMs;
    if (!failure) this.#backoff.reset();
    this.#timer = setTimeout(() => void this.#try(), pauseMs).unref();
  }

  #tell(failure: KubeError | null): void {
    // An uncertain leader writes nothing at all, and reports that itself.
    if (failure?.reason === "InDoubt" || (failure !== null) === this.#isReported) return;
    this.#isReported = failure !== null;
    this.#onTrouble(failure?.message ?? null);
  }
}
