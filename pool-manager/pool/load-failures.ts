import type { LoadError } from "../../runtime-images/protocol/messages.ts";
import type { LoadFailure } from "../client/contract.ts";

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 30_000;

interface Failed {
  error: LoadError;
  instanceUid: string;
  count: number;
  until: number;
}

/**
 * Revisions whose code did not load. Each failure doubles the time until the next try, so that broken
 * code costs the pool little and its callers learn the reason at once.
 */
export class LoadFailures {
  readonly #failed = new Map<string, Failed>();
  readonly #counted = new Set<string>();

  /** Counts each instance's failure once (an in-place change has its epoch in `instanceKey`). */
  record(functionUid: string, revision: string, instanceKey: string, instanceUid: string, error: LoadError, now: number): boolean {
    if (this.#counted.has(instanceKey)) return false;
    if (this.#counted.size > 10_000) this.#counted.clear();
    this.#counted.add(instanceKey);
    const key = `${functionUid}/${revision}`;
    const count = (this.#failed.get(key)?.count ?? 0) + 1;
    const backoff = Math.min(FIRST_BACKOFF_MS * 2 ** (count - 1), LONGEST_BACKOFF_MS);
    this.#failed.set(key, { error, instanceUid, count, until: now + backoff });
    return true;
  }

  /** It has loaded after all. */
  clear(functionUid: string, revision: string): void {
    this.#failed.delete(`${functionUid}/${revision}`);
  }

  /** Drops what is known of revisions that are not served any more: deployed again, they are tried again. */
  retain(isServed: (functionUid: string, revision: string) => boolean): void {
    for (const key of this.#failed.keys()) {
      const [functionUid, revision] = key.split("/") as [string, string];
      if (!isServed(functionUid, revision)) this.#failed.delete(key);
    }
  }

  /** 0 when the revision has never failed. */
  blockedUntil(functionUid: string, revision: string): number {
    return this.#failed.get(`${functionUid}/${revision}`)?.until ?? 0;
  }

  /** Why it did not load the last time; null: it has since, or was not tried. */
  last(functionUid: string, revision: string): string | null {
    return this.#failed.get(`${functionUid}/${revision}`)?.error.message ?? null;
  }

  /** For the table: why invocations cannot be started now; null once another try is due. */
  current(functionUid: string, revision: string, now: number): LoadFailure | null {
    const failed = this.#failed.get(`${functionUid}/${revision}`);
    if (!failed || failed.until <= now) return null;
    const { reason, message } = failed.error;
    return { reason, message, instanceUid: failed.instanceUid, retryAfterMs: failed.until - now };
  }
}
