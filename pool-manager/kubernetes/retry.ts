import { RegistryError } from "../images/registry.ts";
import { KubeError } from "./error.ts";

/** How long a start goes on asking where the cluster only cannot answer now. */
const BOUND_MS = 20_000;
/** A refusal of rights may be a moment's: an API server that has just begun has not read them yet. */
export const FORBIDDEN_MS = 5000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2000;
/** No longer than this is waited because the API server asks for it. */
export const MAX_RETRY_AFTER_MS = 5000;

/** How an error is to be taken: it passes, it may pass within moments, or it stays. */
export type Outlook = "passing" | "perhaps" | "final";

export function outlookOf(error: unknown): Outlook {
  if (!(error instanceof KubeError || error instanceof RegistryError)) return "final";
  const { status } = error;
  // Right after its start an API server may not serve yet what others have defined.
  if (error instanceof KubeError && error.reason === "KruiseMissing") return "perhaps";
  if (status === 0 || status === 429 || status >= 500) return "passing";
  return status === 401 || status === 403 ? "perhaps" : "final";
}

export interface RetryOptions {
  /** Ends it with its reason. */
  stop: AbortSignal;
  /** Told once what is tried again, and null when that is over. */
  onTrouble(message: string | null): void;
  /** Milliseconds; left out: what a step of a start may take. */
  boundMs?: number;
}

/** Does what only needs the cluster to answer again, with growing pauses, within a bound. Rejects with the last error, which then says how long it was tried. */
export async function withRetries<T>(work: () => Promise<T>, { stop, onTrouble, boundMs = BOUND_MS }: RetryOptions): Promise<T> {
  const tries = new Tries(boundMs);
  for (;;) {
    stop.throwIfAborted();
    try {
      const result = await work();
      if (tries.failed > 0) onTrouble(null);
      return result;
    } catch (error) {
      const waitMs = tries.next(error);
      if (tries.failed === 1) onTrouble(`${(error as Error).message}; it is tried again`);
      await pause(waitMs, stop);
    }
  }
}

/** How often something has failed, and until when it may. */
class Tries {
  readonly #began = performance.now();
  readonly #boundMs: number;
  #refusedAt: number | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  failed = 0;

  constructor(boundMs: number) {
    this.#boundMs = boundMs;
  }

  /** When to try again, in milliseconds. Throws the error where it does not pass, or not within the bound. */
  next(error: unknown): number {
    const prospect = outlookOf(error);
    if (prospect === "final") throw error;
    const now = performance.now();
    this.#refusedAt = prospect === "perhaps" ? (this.#refusedAt ?? now) : null;
    const refusedUntil = this.#refusedAt === null ? Number.POSITIVE_INFINITY : this.#refusedAt + FORBIDDEN_MS;
    const askedMs = (error instanceof KubeError && error.retryAfterMs) || 0;
    const waitMs = Math.max(this.#pauseMs, Math.min(askedMs, MAX_RETRY_AFTER_MS));
    if (now + waitMs > Math.min(this.#began + this.#boundMs, refusedUntil)) throw triedFor(error as Error, now - this.#began);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    this.failed++;
    return waitMs;
  }
}

/** The same error, which keeps its kind. */
function triedFor(error: Error, tookMs: number): Error {
  if (tookMs >= 1000) error.message += ` (tried for ${Math.round(tookMs / 1000)} s)`;
  return error;
}

/** Rejects with the reason of `stop`. */
export function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (stop.aborted) return reject(stop.reason);
    const ended = () => {
      clearTimeout(timer);
      reject(stop.reason);
    };
    const timer = setTimeout(() => {
      stop.removeEventListener("abort", ended);
      resolve();
    }, ms);
    stop.addEventListener("abort", ended, { once: true });
  });
}
