import { DEMAND_EXPIRY_MS, type DemandReport } from "../../client/contract.ts";
import type { FunctionRecord } from "../../functions/function.ts";
import type { RevisionTarget } from "../decide/world.ts";
import type { PoolHistory } from "../history/pool-history.ts";
import type { IdleDecision } from "./idle-policy.ts";
import { IdleRecord, type KeptIdleDecision } from "./idle-record.ts";

/** How long an instance is idle before a pause begins. */
const UNLOAD_AFTER_MS = 10_000;

/** The present plan for an idle function's instances. */
export type IdlePlan = Required<Pick<RevisionTarget, "idleTimeoutMs" | "isExpected">>;

export interface IdlePlannerOptions {
  /** A pool's history, which begins with this call if there is none. */
  historyOf(pool: string, now: number): PoolHistory;
  histories(): Iterable<PoolHistory>;
  recordOf(functionUid: string): Pick<FunctionRecord, "runtime" | "scaling"> | undefined;
  /** Milliseconds since 1970: what is recorded keeps its meaning after a restart. */
  wall(): number;
}

interface Pause {
  record: IdleRecord;
  idleSince: number;
  from: number;
  until: number;
}

/** Plans when functions with `idleTimeout: auto` have an instance, from their recorded idle times. `decideIdle` decides. */
export class IdlePlanner {
  readonly #options: IdlePlannerOptions;
  /** Idle functions that have had an instance removed until one is expected to be needed, by uid. */
  readonly #pauses = new Map<string, Pause>();

  constructor(options: IdlePlannerOptions) {
    this.#options = options;
  }

  /** Continues with the histories that were recorded before this process started. */
  resume(): void {
    for (const { idle } of this.#options.histories()) for (const [uid, record] of idle) this.#settle(uid, record);
  }

  /** Learns from a router's report. */
  hear({ router, functions }: DemandReport): void {
    const now = this.#options.wall();
    for (const { key, waiting, inFlight, ended } of functions) {
      const uid = key.split("@")[0] ?? "";
      const pool = this.#autoPool(uid);
      if (pool === null) continue;
      const history = this.#options.historyOf(pool, now);
      const active = waiting + inFlight > 0;
      // A function that is only reported, and not used, takes no other's place.
      const record = history.idle.get(uid) ?? (active ? history.idler(uid) : null);
      if (!record) continue;
      const { idleSince } = record;
      if (record.hear(`${router}/${key}`, { active, ended }, now, DEMAND_EXPIRY_MS)) history.idler(uid);
      if (record.idleSince !== idleSince) this.#settle(uid, record);
    }
  }

  /** A function's present plan; null: its idle timeout is fixed. */
  planOf(functionUid: string): IdlePlan | null {
    const record = this.#recordOf(functionUid);
    return record && planAt(record.decided().decision, record.idleSince, this.#options.wall());
  }

  /** Functions for which an invocation is expected now. */
  expecting(): string[] {
    const now = this.#options.wall();
    const expecting: string[] = [];
    for (const [uid, { record, idleSince, from, until }] of this.#pauses) {
      if (record.idleSince !== idleSince || now > until) this.#pauses.delete(uid);
      else if (now >= from) expecting.push(uid);
    }
    return expecting.filter((uid) => this.#autoPool(uid) !== null);
  }

  /** The decision on a function, with its inputs; null: its idle timeout is fixed. */
  lastOf(functionUid: string): KeptIdleDecision | null {
    return this.#recordOf(functionUid)?.decided() ?? null;
  }

  #recordOf(uid: string): IdleRecord | null {
    const pool = this.#autoPool(uid);
    return pool === null ? null : (this.#options.historyOf(pool, this.#options.wall()).idle.get(uid) ?? new IdleRecord());
  }

  /** The base pool of its runtime, in whose history its idle times stay when another size class serves it. */
  #autoPool(uid: string): string | null {
    const record = this.#options.recordOf(uid);
    return record?.scaling.idleAuto ? record.runtime : null;
  }

  #settle(uid: string, record: IdleRecord): void {
    const { idleSince } = record;
    const { pauseMs, keepMs } = record.decided().decision;
    if (idleSince === null || pauseMs === 0) this.#pauses.delete(uid);
    else this.#pauses.set(uid, { record, idleSince, from: idleSince + pauseMs, until: idleSince + keepMs });
  }
}

/** The plan that a decision makes at `now` for a function whose last invocation ended at `idleSince`; `idleSince` null: it has invocations. */
export function planAt({ pauseMs, keepMs }: IdleDecision, idleSince: number | null, now: number): IdlePlan {
  if (pauseMs === 0) return { idleTimeoutMs: keepMs, isExpected: false };
  const idleMs = idleSince === null ? 0 : now - idleSince;
  return { idleTimeoutMs: UNLOAD_AFTER_MS, isExpected: idleMs >= pauseMs && idleMs <= keepMs };
}
