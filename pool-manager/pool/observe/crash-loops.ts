import type { LoadError } from "../../../runtime-images/protocol/messages.ts";

/** A crash within this time of the load is attributed to the code. */
const SOON_MS = 60_000;
/** Time after which an instance that serves, or a revision without a crash, counts as healthy. */
const WELL_MS = 600_000;
/** Delay after the second consecutive crash; each further one doubles it. */
const FIRST_DELAY_MS = 10_000;
const LONGEST_DELAY_MS = 300_000;
/** Crashes in a row without a delay: of a revision that has never answered, and of one that has. */
const FREE_CRASHES = { unproven: 1, proven: 5 };
/** Rounds of a revision that answers between its crashes: this many are replaced at once, and then one in each interval. */
const BURST = 5;
const INTERVAL_MS = 5000;

export interface CrashLoop {
  error: LoadError;
  instanceUid: string;
  /** Consecutive crashes soon after a load, without an answer in between. Crashes of instances that had loaded before the last crash count as one with it. */
  crashes: number;
  /** When the last crash was. */
  at: number;
  /** No instance is started before this time; there is no delay if it equals `at`. */
  until: number;
}

/** An instance that has crashed. */
export interface Crashed {
  instanceUid: string;
  /** When its code had loaded; null if it was already serving when this pool manager started. */
  loadedAt: number | null;
  /** True if it has itself answered an invocation successfully since. */
  hasAnswered: boolean;
  /** Successful invocations of its revision so far, of any instance, as far as routers have reported them. */
  answered: number;
  error: LoadError;
}

export interface Evidence {
  /** How long its code had been loaded; null if that is unknown. */
  ranMs: number | null;
  /** True if an invocation of the revision has succeeded since its last crash. */
  answeredSince: boolean;
  /** True if one has ever succeeded. */
  answeredEver: boolean;
  /** Consecutive crashes, including this one; an answer in between resets them. */
  crashes: number;
}

/**
 * Whose doing a crash is, and how long the revision is not started for it.
 *
 * | ran      | answered since the last crash | ever | in a row  | verdict | why                                                        |
 * |----------|-------------------------------|------|-----------|---------|------------------------------------------------------------|
 * | a minute |                               |      |           | none    | the instance's long service bounds how often it is replaced |
 * | less     | yes                           |      |           | request | instances that load do answer: one request ended this one  |
 * | less     | no                            | yes  | up to 5   | request | requests like that may come one after the other            |
 * | less     | no                            | yes  | above 5   | code    | nothing is answered any more, whatever is asked            |
 * | less     | no                            | no   | the first | none    | a single invocation may have been the reason               |
 * | less     | no                            | no   | above 1   | code    | it crashes by itself                                       |
 *
 * `request`: replacements are paced, and whoever comes meanwhile waits. `code`: a delay that doubles from 10 s to 5 min, in
 * which invocations are turned away.
 */
export function verdictOf({ ranMs, answeredSince, answeredEver, crashes }: Evidence): { kind: "none" | "request" } | { kind: "code"; delayMs: number } {
  if (ranMs === null || ranMs >= SOON_MS) return { kind: "none" };
  if (answeredSince) return { kind: "request" };
  const over = crashes - (answeredEver ? FREE_CRASHES.proven : FREE_CRASHES.unproven);
  if (over > 0) return { kind: "code", delayMs: Math.min(FIRST_DELAY_MS * 2 ** (over - 1), LONGEST_DELAY_MS) };
  return { kind: answeredEver ? "request" : "none" };
}

interface Row extends CrashLoop {
  kind: "none" | "request" | "code";
  answered: number;
  /** An invocation of the revision has ended well, at whichever instance and whenever. */
  hasAnswered: boolean;
  /** The time at which a burst of replacements would be whole again. */
  pacedTo: number;
}

/**
 * Revisions whose instances crash soon after they have loaded, as Kubernetes' CrashLoopBackOff has it, unless they answer
 * in between. After 10 min without a crash the count begins again. `now` in milliseconds.
 */
export class CrashLoops {
  readonly #rows = new Map<string, Row>();

  /** The loop that this crash is part of; null: nobody is turned away for it. */
  crashed(key: string, crashed: Crashed, now: number): CrashLoop | null {
    const ranMs = now - (crashed.loadedAt ?? Number.NEGATIVE_INFINITY);
    if (ranMs >= WELL_MS) this.#rows.delete(key);
    if (crashed.loadedAt === null || ranMs >= SOON_MS) return null;
    const known = this.#rows.get(key);
    if (known && crashed.loadedAt <= known.at) return null;
    const row = this.#next(known, crashed, ranMs, now);
    this.#rows.set(key, row);
    return row.kind === "code" ? row : null;
  }

  #next(known: Row | undefined, { instanceUid, hasAnswered, answered, error }: Crashed, ranMs: number, now: number): Row {
    const isOver = known === undefined || now - Math.max(known.at, known.until) >= WELL_MS;
    const answeredSince = hasAnswered || answered > (known?.answered ?? 0);
    const crashes = isOver || answeredSince ? 1 : known.crashes + 1;
    const answeredEver = hasAnswered || answered > 0 || (known?.hasAnswered ?? false);
    const verdict = verdictOf({ ranMs, answeredSince, answeredEver, crashes });
    const pacedTo = Math.max(known?.pacedTo ?? now, now) + (verdict.kind === "request" ? INTERVAL_MS : 0);
    const until = verdict.kind === "code" ? now + verdict.delayMs : Math.max(now, pacedTo - BURST * INTERVAL_MS);
    return { error, instanceUid, crashes, at: now, until, kind: verdict.kind, answered, hasAnswered: answeredEver, pacedTo };
  }

  /** The loop whose delay is not over; null: nobody is turned away. */
  current(key: string, now: number): CrashLoop | null {
    const row = this.#rows.get(key);
    return row?.kind === "code" && row.until > now ? row : null;
  }

  /** No instance is started before; 0: at once. Only in a loop is anybody turned away meanwhile. */
  blockedUntil(key: string, now: number): number {
    const until = this.#rows.get(key)?.until ?? 0;
    return until > now ? until : 0;
  }

  get isEmpty(): boolean {
    return this.#rows.size === 0;
  }

  retain(isKept: (key: string) => boolean): void {
    for (const key of this.#rows.keys()) if (!isKept(key)) this.#rows.delete(key);
  }
}
