import { Backoff } from "../async/backoff.ts";
import { RegistryError } from "../images/registry.ts";
import { KubeError } from "./error.ts";

/** How long a start retries transient failures of the cluster. */
const BOUND_MS = 20_000;
/** How long 401 and 403 are retried: an API server that has just started may not have loaded its roles yet. */
export const FORBIDDEN_MS = 5000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2000;
/** The longest `Retry-After` of the API server that is honoured. */
export const MAX_RETRY_AFTER_MS = 5000;

/** Whether an error is transient, may pass within moments, or is final. */
export type Outlook = "passing" | "perhaps" | "final";

export function outlookOf(error: unknown): Outlook {
  if (!(error instanceof KubeError || error instanceof RegistryError)) return "final";
  const { status } = error;
  // Right after its start an API server may not serve custom resources yet.
  if (error instanceof KubeError && error.reason === "KruiseMissing") return "perhaps";
  if (status === 0 || status === 429 || status >= 500) return "passing";
  return status === 401 || status === 403 ? "perhaps" : "final";
}

export interface RetryOptions {
  /** Aborts the retries with its reason. */
  stop: AbortSignal;
  /** Reports once why the work is being retried, and null once it succeeds. */
  onTrouble(message: string | null): void;
  /** How long to retry; by default as long as a step of a start may. */
  boundMs?: number;
}

/** Retries transient failures of `work` with growing pauses, within a bound. Rejects with the last error, whose message says how long it was tried. */
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

/** The state of retries: failures so far, the next pause, and the bounds. */
class Tries {
  readonly #began = performance.now();
  readonly #boundMs: number;
  #refusedAt: number | null = null;
  readonly #backoff = new Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
  failed = 0;

  constructor(boundMs: number) {
    this.#boundMs = boundMs;
  }

  /** Returns the pause before the next attempt in milliseconds. Throws the error if it is final or the bound is reached. */
  next(error: unknown): number {
    const prospect = outlookOf(error);
    if (prospect === "final") throw error;
    const now = performance.now();
    this.#refusedAt = prospect === "perhaps" ? (this.#refusedAt ?? now) : null;
    const refusedUntil = this.#refusedAt === null ? Number.POSITIVE_INFINITY : this.#refusedAt + FORBIDDEN_MS;
    const askedMs = (error instanceof KubeError && error.retryAfterMs) || 0;
    const waitMs = Math.max(this.#backoff.pauseMs, Math.min(askedMs, MAX_RETRY_AFTER_MS));
    if (now + waitMs > Math.min(this.#began + this.#boundMs, refusedUntil)) throw triedFor(error as Error, now - this.#began);
    this.#backoff.grow();
    this.failed++;
    return waitMs;
  }
}

/** Appends the duration to the message of the same error, which keeps its class. */
function triedFor(error: Error, tookMs: number): Error {
  if (tookMs >= 1000) error.message += ` (tried for ${Math.round(tookMs / 1000)} s)`;
  return error;
}

/** Waits for `ms`; rejects with the reason of `stop` once that aborts. */
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
