import type { LoadError } from "../../../runtime-images/protocol/messages.ts";
import type { LoadFailure } from "../../client/contract.ts";
import { type Crashed, type CrashLoop, CrashLoops } from "./crash-loops.ts";

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 30_000;

interface Failed {
  error: LoadError;
  instanceUid: string;
  count: number;
  until: number;
}

/**
 * Revisions whose code did not load, or crashes soon after it has. Each failure doubles the time until the next try, so
 * that broken code costs the pool little and its callers learn the reason at once.
 */
export class LoadFailures {
  readonly #failed = new Map<string, Failed>();
  readonly #counted = new Set<string>();
  readonly #crashes = new CrashLoops();

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

  /** An instance has crashed after it had loaded; null: nobody is turned away for that. */
  crashed(functionUid: string, revision: string, crashed: Crashed, now: number): CrashLoop | null {
    return this.#crashes.crashed(`${functionUid}/${revision}`, crashed, now);
  }

  /** The revision's crash loop, while it turns invocations away; null: there is none. */
  crashLoop(functionUid: string, revision: string, now: number): CrashLoop | null {
    return this.#crashes.current(`${functionUid}/${revision}`, now);
  }

  /** It has loaded after all. That it crashes afterwards is not forgotten. */
  clear(functionUid: string, revision: string): void {
    this.#failed.delete(`${functionUid}/${revision}`);
  }

  /** Drops what is known of a function's revisions that are not served any more: deployed again, they are tried again. */
  retain(functionUid: string, served: ReadonlySet<string>): void {
    const isKept = (key: string) => {
      const [of, revision] = key.split("/") as [string, string];
      return of !== functionUid || served.has(revision);
    };
    for (const key of this.#failed.keys()) if (!isKept(key)) this.#failed.delete(key);
    this.#crashes.retain(isKept);
  }

  /** 0 when the revision has never failed to load, and does not crash. After a crash's delay it is started for its minScale too. */
  blockedUntil(functionUid: string, revision: string, now: number): number {
    // It is asked for each revision in each round.
    if (this.#failed.size === 0 && this.#crashes.isEmpty) return 0;
    const failed = this.#failed.get(`${functionUid}/${revision}`)?.until ?? 0;
    return Math.max(failed, this.#crashes.blockedUntil(`${functionUid}/${revision}`, now));
  }

  /** Why it did not load the last time; null: it has since, or was not tried. */
  last(functionUid: string, revision: string): string | null {
    return this.#failed.get(`${functionUid}/${revision}`)?.error.message ?? null;
  }

  /** For the table: why invocations cannot be started now; null once another try is due. */
  current(functionUid: string, revision: string, now: number): LoadFailure | null {
    const failed = this.#failed.get(`${functionUid}/${revision}`);
    const found = failed && failed.until > now ? failed : this.crashLoop(functionUid, revision, now);
    if (!found) return null;
    const { reason, message } = found.error;
    return { reason, message, instanceUid: found.instanceUid, retryAfterMs: found.until - now };
  }
}
