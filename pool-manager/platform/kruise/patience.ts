import { KubeError } from "./kube-error.ts";

/** How long a start goes on asking where the cluster only cannot answer now. Milliseconds. */
const BOUND_MS = 20_000;
/** A refusal of rights may be a moment's: an API server that has just begun has not read them yet. Milliseconds. */
export const FORBIDDEN_MS = 5000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2000;
/** No longer than this is waited because the API server asks for it. Milliseconds. */
export const MAX_RETRY_AFTER_MS = 5000;

/** How an error is to be taken: it passes, it may pass within moments, or it stays. */
export type Prospect = "passing" | "perhaps" | "final";

export function prospectOf(error: unknown): Prospect {
  if (!(error instanceof KubeError)) return "final";
  const { status, reason } = error;
  // Neither was an answer of the cluster.
  if (reason === "NoCluster" || reason === "KruiseVersion") return "final";
  if (status === 0 || status === 429 || status >= 500) return "passing";
  return status === 401 || status === 403 ? "perhaps" : "final";
}

export interface PatienceOptions {
  /** Ends it with its reason. */
  stop: AbortSignal;
  boundMs?: number;
}

/** Does what only needs the cluster to answer again, with growing pauses, within a bound. Rejects with the last error, which then says for how long. */
export async function patiently<T>(work: () => Promise<T>, { stop, boundMs = BOUND_MS }: PatienceOptions): Promise<T> {
  const began = performance.now();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    stop.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      const prospect = prospectOf(error);
      const waitMs = Math.max(pauseMs, Math.min((error as KubeError).retryAfterMs ?? 0, MAX_RETRY_AFTER_MS));
      const endsMs = prospect === "passing" ? boundMs : Math.min(boundMs, FORBIDDEN_MS);
      if (prospect === "final") throw error;
      const tookMs = performance.now() - began;
      if (tookMs + waitMs > endsMs) throw forSo(error as KubeError, tookMs);
      await pause(waitMs, stop);
    }
  }
}

function forSo(error: KubeError, tookMs: number): KubeError {
  return new KubeError(error.status, error.reason, `${error.message} (for ${Math.round(tookMs / 1000)} s)`, error.retryAfterMs);
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
