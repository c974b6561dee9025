import { activeRevision, type FunctionRecord } from "../functions/function.ts";
import type { FunctionRegistry } from "../functions/registry.ts";
import { allKeptBeside } from "../functions/traffic.ts";
import type { ActiveSchedule } from "../schedules/active.ts";
import type { Schedules } from "../schedules/schedules.ts";
import type { PoolSpec } from "./decide/world.ts";
import { Buckets } from "./history/buckets.ts";
import type { PoolHistory } from "./history/pool-history.ts";
import { windowOf } from "./history/windows.ts";
import type { PoolSizer } from "./pool-sizer.ts";
import { beyond } from "./sizing/depths.ts";
import { adviseFunction } from "./sizing/function-advice.ts";
import { advisePool } from "./sizing/pool-advice.ts";
import { shortRecordInWords } from "./sizing/words.ts";

const HOUR_MS = 3_600_000;
/** The history of a function that has claimed nothing. */
const EMPTY = new Buckets(60_000, 1);
/** The target for a pool whose size is fixed. */
const TARGET_HIT = 0.99;

/** The windows that advice is given for. */
export const WINDOWS = { "1h": HOUR_MS, "24h": 24 * HOUR_MS } as const;
export type WindowName = keyof typeof WINDOWS;

export interface AdvisorOptions {
  sizer: PoolSizer;
  schedules: Schedules;
  functions: Pick<FunctionRegistry, "byUid" | "poolOf">;
  wall(): number;
  /** Assumed memory of an instance in MB. */
  instanceMb: number;
}

/** Advice on pools and functions from the recorded claims. Read-only. */
export class Advisor {
  readonly #options: AdvisorOptions;

  constructor(options: AdvisorOptions) {
    this.#options = options;
  }

  ofPool(pool: PoolSpec, window: WindowName) {
    const { sizer, functions: registry, wall } = this.#options;
    const instanceMb = pool.sizeClass === undefined ? this.#options.instanceMb : pool.sizeClass / 2 ** 20;
    const now = wall();
    const history = sizer.recorder.of(pool.name, now);
    const targetHit = pool.auto?.targetHit ?? TARGET_HIT;
    const recorded = windowOf(window === "1h" ? history.hour : history.day, now, WINDOWS[window], history.since);
    const { refillMs, refills } = sizer.refillOf(pool.name);
    const functions = [...history.functions].map(([uid, own]) => {
      const { claims, misses } = windowOf(window === "1h" ? own.hour : own.day, now, WINDOWS[window], history.since);
      return { name: registry.byUid(uid)?.name ?? "(deleted)", claims, misses };
    });
    const advice = advisePool({
      window: recorded,
      size: pool.size,
      max: pool.max,
      memory: pool.memory ?? null,
      targetHit,
      refillMs,
      refills,
      instanceMb,
      functions,
    });
    const text = [...advice.text, ...scheduledInWords(pool.scheduled), ...shortRecordInWords(WINDOWS[window], recorded.seconds)];
    return { pool: pool.name, ...this.#summary(history, window, recorded), instanceMb, targetHit, size: pool.size, refillMs, refills, ...advice, text };
  }

  ofFunction(record: FunctionRecord, window: WindowName) {
    const { sizer, schedules, functions, instanceMb, wall } = this.#options;
    const now = wall();
    const pool = functions.poolOf(record);
    const history = sizer.recorder.of(pool, now);
    const known = history.functions.get(record.uid);
    const buckets = known && (window === "1h" ? known.hour : known.day);
    const recorded = windowOf(buckets ?? EMPTY, now, WINDOWS[window], Math.max(history.since, Date.parse(record.createdAt)));
    const { minScale, maxScale } = record.scaling;
    const { concurrency } = activeRevision(record).settings;
    // Instances that are kept of other revisions are none of those that minScale would keep.
    const kept = allKeptBeside(record);
    const own = { ...recorded, depths: beyond(recorded.depths, kept), spent: beyond(recorded.spent, kept) };
    const advice = adviseFunction({ window: own, minScale, maxScale, concurrency, instanceMb });
    const scheduled = schedules.activeOf(record.uid, pool, record.scaling.warm);
    const others = [...scheduledInWords(scheduled), ...keptInWords(kept), ...shortRecordInWords(WINDOWS[window], recorded.seconds)];
    const text = [...advice.text, ...others];
    return { function: record.name, ...this.#summary(history, window, recorded), minScale, concurrency, ...advice, text };
  }

  #summary({ since }: PoolHistory, window: WindowName, { seconds, claims, hits, misses, dispersion }: ReturnType<typeof windowOf>) {
    return {
      window,
      since: new Date(since).toISOString(),
      seconds: Math.round(seconds),
      claims,
      hits,
      misses,
      dispersion: Number(dispersion.toFixed(2)),
      instanceMb: this.#options.instanceMb,
    };
  }
}

function scheduledInWords(scheduled: ActiveSchedule | null | undefined): string[] {
  return scheduled ? [`at least ${scheduled.instances} are kept by ${scheduled.text}, whatever is recommended`] : [];
}

function keptInWords(kept: number): string[] {
  return kept > 0 ? [`${kept} of other revisions are kept by minScales of the traffic, and not counted here`] : [];
}
