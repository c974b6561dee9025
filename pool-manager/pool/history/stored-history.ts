import { Type } from "typebox";
import { Compile } from "typebox/compile";
import { BINS } from "../idling/idle-histogram.ts";
import { IdleRecord } from "../idling/idle-record.ts";
import { type Bucket, type Buckets, emptyBucket } from "./buckets.ts";
import { FunctionHistory } from "./function-history.ts";
import { MAX_IDLE, PoolHistory } from "./pool-history.ts";

/** Keeps what pools have recorded of claims. A history that cannot be read is reported, and begins anew. */
export interface HistoryStore {
  /** How often histories are saved. */
  readonly everyMs: number;
  load(): Promise<Map<string, PoolHistory>>;
  save(pool: string, history: PoolHistory): Promise<void>;
}

const Count = Type.Number({ minimum: 0, maximum: 1e12 });
const Time = Type.Number({ minimum: 0, maximum: 1e14 });
/** Level and weight in turn. */
const Weights = Type.Array(Count, { maxItems: 2000 });
/** Index, claims, hits, misses, refills, their milliseconds, claims by depth, time by depth. */
const StoredBucket = Type.Tuple([Count, Count, Count, Count, Count, Count, Weights, Weights]);
const Ring = Type.Array(StoredBucket, { maxItems: 1440 });
/** Index, and time by concurrent invocations; beside the ring, so that an older version of Berth reads the rest. */
const Loads = Type.Optional(Type.Array(Type.Tuple([Count, Weights]), { maxItems: 1440 }));

/** `bins`: bin and count. `since`: since when it is idle. */
const StoredIdle = Type.Object({
  uid: Type.String({ maxLength: 200 }),
  since: Type.Union([Time, Type.Null()]),
  bins: Type.Array(Type.Tuple([Type.Integer({ minimum: 0, maximum: BINS - 1 }), Count]), { maxItems: BINS }),
  beyond: Count,
});

const schema = Compile(
  Type.Object({
    version: Type.Literal(1),
    since: Time,
    refillMs: Type.Union([Count, Type.Null()]),
    chosen: Type.Union([
      Type.Object({ size: Type.Integer({ minimum: 0 }), belowSince: Type.Union([Time, Type.Null()]), changedAt: Type.Union([Time, Type.Null()]) }),
      Type.Null(),
    ]),
    hour: Ring,
    day: Ring,
    functions: Type.Array(Type.Object({ uid: Type.String({ maxLength: 200 }), hour: Ring, day: Ring, hourLoads: Loads, dayLoads: Loads }), { maxItems: 256 }),
    // Older versions of Berth do not record it.
    idle: Type.Optional(Type.Array(StoredIdle, { maxItems: MAX_IDLE })),
  }),
);

/** A pool's history as text of at most `maxBytes`: the functions whose last claims are oldest give way first, then the idle times of those that were used longest ago, then the oldest buckets. */
export function writeHistory(history: PoolHistory, maxBytes: number): string {
  let plain = plainOf(history);
  for (;;) {
    const text = JSON.stringify(plain);
    if (text.length <= maxBytes || plain.hour.length + plain.day.length === 0) return text;
    plain = halved(plain);
  }
}

type Plain = ReturnType<typeof plainOf>;

/** Without the older half of the functions, of the idle times, or of the longer ring. */
function halved(plain: Plain): Plain {
  const { functions, idle, day, hour } = plain;
  if (functions.length > 0) return { ...plain, functions: newerHalf(functions) };
  if (idle.length > 0) return { ...plain, idle: newerHalf(idle) };
  return day.length >= hour.length ? { ...plain, day: newerHalf(day) } : { ...plain, hour: newerHalf(hour) };
}

function newerHalf<T>(items: readonly T[]): T[] {
  return items.slice(Math.ceil(items.length / 2));
}

function plainOf({ since, refillMs, chosen, hour, day, functions, idle }: PoolHistory) {
  const each = [...functions].map(([uid, { hour, day }]) => ({
    uid,
    hour: ring(hour),
    day: ring(day),
    hourLoads: loadsOf(hour),
    dayLoads: loadsOf(day),
  }));
  const idlers = [...idle].map(([uid, { idleSince, histogram }]) => ({ uid, since: idleSince && Math.round(idleSince), ...histogram.counts() }));
  return { version: 1, since: Math.round(since), refillMs, chosen, hour: ring(hour), day: ring(day), functions: each, idle: idlers };
}

function ring(buckets: Buckets) {
  return buckets
    .entries()
    .map(([index, { claims, hits, misses, refills, refillMs, depths, spent }]) => [
      index,
      claims,
      hits,
      misses,
      refills,
      Math.round(refillMs),
      flat(depths),
      flat(spent),
    ]);
}

function loadsOf(buckets: Buckets) {
  return buckets.entries().flatMap(([index, { loads }]) => (loads.size > 0 ? [[index, flat(loads)]] : []));
}

function flat(weights: ReadonlyMap<number, number>): number[] {
  return [...weights].flatMap(([level, weight]) => [level, Math.round(weight)]);
}

/** Throws if the text is not a history. */
export function readHistory(text: string): PoolHistory {
  const stored: unknown = JSON.parse(text);
  if (!schema.Check(stored)) throw new Error("it is not a history of claims");
  const history = new PoolHistory(stored.since);
  history.refillMs = stored.refillMs;
  history.chosen = stored.chosen;
  fill(history.hour, stored.hour);
  fill(history.day, stored.day);
  for (const { uid, hour, day, hourLoads = [], dayLoads = [] } of stored.functions) {
    const own = new FunctionHistory();
    fill(own.hour, hour, hourLoads);
    fill(own.day, day, dayLoads);
    history.functions.set(uid, own);
  }
  for (const { uid, since, bins, beyond } of stored.idle ?? []) history.idle.set(uid, new IdleRecord({ bins, beyond }, since));
  return history;
}

type Stored = [number, number, number, number, number, number, number[], number[]];

function fill(buckets: Buckets, stored: readonly Stored[], loads: readonly [number, number[]][] = []): void {
  const byIndex = new Map(loads);
  for (const [index, claims, hits, misses, refills, refillMs, depths, spent] of stored.slice(-buckets.count)) {
    const bucket: Bucket = { ...emptyBucket(), claims, hits, misses, refills, refillMs, depths: deep(depths), spent: deep(spent) };
    bucket.loads = deep(byIndex.get(index) ?? []);
    buckets.restore(index, bucket);
  }
}

function deep(flat: readonly number[]): Map<number, number> {
  const weights = new Map<number, number>();
  for (let i = 0; i + 1 < flat.length; i += 2) weights.set(flat[i] as number, flat[i + 1] as number);
  return weights;
}
