import type { Clock } from "../async/clock.ts";
import { coalesced } from "../async/coalesced.ts";
import { type FunctionRecord, servedRevisions } from "../functions/function.ts";
import { isRolling, percentOf } from "../functions/rollout.ts";
import type { PoolView } from "./publish/pool-view.ts";

const CHECK_INTERVAL_MS = 50;
/** How long a trial stays open after its last wait ends, so that a caller that repeats the request continues it. */
const GRACE_MS = 2000;
/** Maximum number of callers that wait at a time. */
const MAX_WAITERS = 1000;

/** Outcome of a revision's load. `superseded`: the revision is no longer served. */
export type LoadVerdict = { state: "loaded" | "waiting" | "superseded" } | { state: "failed"; message: string };

type Readiness = ReturnType<PoolView["readiness"]>;

export interface LoadTrialsOptions {
  clock: Clock;
  recordOf(functionUid: string): FunctionRecord | undefined;
  readiness(): Readiness;
  /** Called when a trial begins: it must clear the backoff of earlier failures. */
  begun(functionUid: string, revision: string): void;
}

interface Waiter {
  functionUid: string;
  revision: string;
  until: number;
  resolve(verdict: LoadVerdict): void;
}

/**
 * Revisions that callers want to have loaded before the first invocation. While a trial is open, its revision gets an
 * instance as if an invocation waited for it. Trials are not stored: callers repeat the request at the next leader.
 */
export class LoadTrials {
  readonly #options: LoadTrialsOptions;
  /** When each trial ends, by function and revision. */
  readonly #open = new Map<string, number>();
  readonly #waiters = new Set<Waiter>();
  #cancel: (() => void) | null = null;
  readonly #checkSoon: () => void;

  constructor(options: LoadTrialsOptions) {
    this.#options = options;
    this.#checkSoon = coalesced(options.clock, () => this.#check());
  }

  isOpen(functionUid: string, revision: string, now: number): boolean {
    // A fast path: it is called for each revision in each round.
    if (this.#open.size === 0) return false;
    return (this.#open.get(keyOf(functionUid, revision)) ?? 0) > now;
  }

  /** Uids of the functions with an open trial. */
  functions(now: number): string[] {
    return [...this.#open].flatMap(([key, until]) => (until > now ? [key.slice(0, key.lastIndexOf("/"))] : []));
  }

  /** The load's outcome, after `waitMs` at most; null if too many callers already wait. */
  wait(functionUid: string, revision: string, waitMs: number): Promise<LoadVerdict> | null {
    if (this.#waiters.size >= MAX_WAITERS) return null;
    const now = this.#options.clock.now();
    for (const [key, until] of this.#open) if (until <= now) this.#open.delete(key);
    const record = this.#options.recordOf(functionUid);
    // The rollout itself gives its new revision the first instance.
    if (record && !takesOver(record, revision) && isServed(record, revision)) this.#begin(functionUid, revision, now + waitMs + GRACE_MS);
    return new Promise((resolve) => {
      this.#waiters.add({ functionUid, revision, until: now + waitMs, resolve });
      this.#check();
    });
  }

  /** An instance or a function has changed, which may be what callers wait for. */
  changed(): void {
    if (this.#waiters.size > 0) this.#checkSoon();
  }

  /** Resolves all waits with `waiting`. */
  close(): void {
    this.#cancel?.();
    for (const { resolve } of this.#waiters) resolve({ state: "waiting" });
    this.#waiters.clear();
  }

  #begin(functionUid: string, revision: string, until: number): void {
    const key = keyOf(functionUid, revision);
    if (!this.#open.has(key)) this.#options.begun(functionUid, revision);
    this.#open.set(key, Math.max(until, this.#open.get(key) ?? 0));
  }

  #check(): void {
    const { clock, recordOf, readiness } = this.#options;
    this.#cancel?.();
    this.#cancel = null;
    const ready = readiness();
    for (const waiter of this.#waiters) {
      const { functionUid, revision, until, resolve } = waiter;
      const record = recordOf(functionUid);
      const verdict: LoadVerdict = record ? verdictOf(record, revision, ready) : { state: "superseded" };
      if (verdict.state === "waiting" && clock.now() < until) continue;
      this.#waiters.delete(waiter);
      if (verdict.state !== "waiting") this.#open.delete(keyOf(functionUid, revision));
      resolve(verdict);
    }
    if (this.#waiters.size > 0) this.#cancel = clock.after(CHECK_INTERVAL_MS, () => this.#check());
  }
}

/** The outcome for a rollout's new revision follows from the rollout's state, for any other revision from its instances. */
export function verdictOf(record: FunctionRecord, revision: string, ready: Readiness): LoadVerdict {
  const { uid, rollout } = record;
  if (rollout?.to === revision && (rollout.state === "stopped" || rollout.state === "undone")) {
    return { state: "failed", message: rollout.reason ?? `the rollout of ${revision} was ${rollout.state}` };
  }
  if (!isServed(record, revision)) return { state: "superseded" };
  if (takesOver(record, revision) && rollout?.state === "rolling") {
    return { state: !rollout.onceLoaded && percentOf(record, rollout) > 0 ? "loaded" : "waiting" };
  }
  const { status, message } = ready(uid, revision);
  if (status === "False") return { state: "failed", message };
  return { state: status === "True" ? "loaded" : "waiting" };
}

function takesOver({ rollout }: FunctionRecord, revision: string): boolean {
  return isRolling(rollout) && rollout.to === revision;
}

function isServed(record: FunctionRecord, revision: string): boolean {
  return servedRevisions(record).some(({ id }) => id === revision);
}

function keyOf(functionUid: string, revision: string): string {
  return `${functionUid}/${revision}`;
}
