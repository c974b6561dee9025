import type { LoadError } from "../../../runtime-images/protocol/messages.ts";
import type { LoadFailure } from "../../client/contract.ts";
import { BoundedSet } from "../../collections/bounded.ts";
import { type Crashed, type CrashLoop, CrashLoops } from "./crash-loops.ts";

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 30_000;
/** Failures that are remembered, so that each counts once. */
const MOST_COUNTED = 10_000;

interface Failed {
  error: LoadError;
  instanceUid: string;
  count: number;
  until: number;
}

/**
 * Revisions whose code failed to load, or crashes soon after loading. Each failure doubles the time until the next retry,
 * so that broken code costs the pool little and its callers get the reason at once.
 */
export class LoadFailures {
  readonly #failed = new Map<string, Failed>();
  readonly #counted = new BoundedSet<string>(MOST_COUNTED);
  readonly #crashes = new CrashLoops();

  /** Counts each failure once: `instanceKey` names the instance and its epoch. Returns false if it was already counted. */
  record(functionUid: string, revision: string, instanceKey: string, instanceUid: string, error: LoadError, now: number): boolean {
    if (this.#counted.has(instanceKey)) return false;
    this.#counted.add(instanceKey);
    const key = `${functionUid}/${revision}`;
    const count = (this.#failed.get(key)?.count ?? 0) + 1;
    const backoff = Math.min(FIRST_BACKOFF_MS * 2 ** (count - 1), LONGEST_BACKOFF_MS);
    this.#failed.set(key, { error, instanceUid, count, until: now + backoff });
    return true;
  }

  /** Counts a crash after a load; returns null if it delays no further start. */
  crashed(functionUid: string, revision: string, crashed: Crashed, now: number): CrashLoop | null {
    return this.#crashes.crashed(`${functionUid}/${revision}`, crashed, now);
  }

  /** The revision's crash loop while its delay lasts; otherwise null. */
  crashLoop(functionUid: string, revision: string, now: number): CrashLoop | null {
    return this.#crashes.current(`${functionUid}/${revision}`, now);
  }

  /** Clears the load failures of a revision that has loaded; its crashes are kept. */
  clear(functionUid: string, revision: string): void {
    this.#failed.delete(`${functionUid}/${revision}`);
  }

  /** Drops the failures of a function's retired revisions: deployed anew, they have no backoff. */
  retain(functionUid: string, served: ReadonlySet<string>): void {
    const isKept = (key: string) => {
      const [of, revision] = key.split("/") as [string, string];
      return of !== functionUid || served.has(revision);
    };
    for (const key of this.#failed.keys()) if (!isKept(key)) this.#failed.delete(key);
    this.#crashes.retain(isKept);
  }

  /** When the backoff ends; 0 if there is none. After a crash loop's delay (unlike after a failed load) the revision is started for its `minScale` too. */
  blockedUntil(functionUid: string, revision: string, now: number): number {
    // A fast path: it is called for each revision in each round.
    if (this.#failed.size === 0 && this.#crashes.isEmpty) return 0;
    const failed = this.#failed.get(`${functionUid}/${revision}`)?.until ?? 0;
    return Math.max(failed, this.#crashes.blockedUntil(`${functionUid}/${revision}`, now));
  }

  /** Why the last load failed; null if it succeeded or there was none. */
  last(functionUid: string, revision: string): string | null {
    return this.#failed.get(`${functionUid}/${revision}`)?.error.message ?? null;
  }

  /** For the table: why instances are not started now; null once a retry is due. */
  current(functionUid: string, revision: string, now: number): LoadFailure | null {
    const failed = this.#failed.get(`${functionUid}/${revision}`);
    const found = failed && failed.until > now ? failed : this.crashLoop(functionUid, revision, now);
    if (!found) return null;
    const { reason, message } = found.error;
    return { reason, message, instanceUid: found.instanceUid, retryAfterMs: found.until - now };
  }
}
