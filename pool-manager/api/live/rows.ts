import type { FunctionRecord } from "../../functions/function.ts";
import type { InstanceView, PoolSpec } from "../../pool/decide/world.ts";
import type { StatisticsView } from "../../statistics/slots.ts";
import type { FunctionAnswer } from "../schemas/answers.ts";

/** One instance as the overview shows it. Its age is the message's `now` minus `createdMs`. */
export interface InstanceRow {
  id: string;
  pool: string;
  state: string;
  function: string | null;
  revision: string | null;
  /** True while the platform swaps its image. */
  binding: boolean;
  epoch: number;
  node: string | null;
  address: string | null;
  inFlight: number;
  obstacle: string | null;
  /** The obstacle in the platform's words. */
  reason: string | null;
  createdMs: number;
}

/** One function as the overview shows it: of the API's answer what a table holds, and its present load. */
export interface FunctionRow extends Pick<FunctionAnswer, "uid" | "runtime" | "revision" | "latest" | "minScale" | "maxScale" | "queueDepth" | "problems"> {
  id: string;
  rolling: { to: string; state: string } | null;
  warm: number;
  starting: number;
  waiting: number;
  inFlight: number;
  /** Null: no invocation in the last five minutes. */
  statistics: StatisticsView | null;
}

export interface PoolRow extends Omit<PoolSpec, "name" | "budget"> {
  id: string;
  used: boolean;
  doubt: string | null;
  problems: string[];
}

/** The place of an instance as the platform knows it. */
export interface Place {
  node: string | null;
  address: string | null;
}

export function instanceRow(view: InstanceView, { node, address }: Place, nameOf: (uid: string) => string | undefined): InstanceRow {
  const { uid, pool, epoch, revision, binding, inFlight, obstacle, createdAt } = view;
  const owner = view.functionUid ?? view.boundTo;
  return {
    id: uid,
    pool,
    state: view.removing && view.state !== "failed" ? "draining" : view.state,
    function: owner === null ? null : (nameOf(owner) ?? owner),
    revision,
    binding,
    epoch,
    node,
    address,
    inFlight,
    obstacle: obstacle?.kind ?? null,
    reason: obstacle?.message ?? null,
    createdMs: Math.round(createdAt),
  };
}

/** A function's instances and demand, summed over its revisions. */
export interface FunctionLoad {
  warm: number;
  starting: number;
  waiting: number;
  inFlight: number;
}

export const NO_LOAD: FunctionLoad = { warm: 0, starting: 0, waiting: 0, inFlight: 0 };

/** Sums by function's uid: instances by state, and demand by key, which is `UID` or `UID@REVISION`. */
export function loadsOf(
  instances: readonly InstanceView[],
  demand: ReadonlyMap<string, Pick<FunctionLoad, "waiting" | "inFlight">>,
): Map<string, FunctionLoad> {
  const loads = new Map<string, FunctionLoad>();
  const of = (uid: string) => {
    const load = loads.get(uid) ?? { ...NO_LOAD };
    loads.set(uid, load);
    return load;
  };
  for (const { functionUid, state, removing } of instances) {
    if (functionUid === null || removing) continue;
    if (state === "warm") of(functionUid).warm += 1;
    else if (state === "specializing") of(functionUid).starting += 1;
  }
  for (const [key, { waiting, inFlight }] of demand) {
    const load = of(key.split("@", 1)[0] as string);
    load.waiting += waiting;
    load.inFlight += inFlight;
  }
  return loads;
}

export function functionRow(record: FunctionRecord, load: FunctionLoad, statistics: StatisticsView | null, problems: string[]): FunctionRow {
  const { name, uid, runtime, active, latest, rollout, scaling } = record;
  const { minScale, maxScale, queueDepth } = scaling;
  return {
    id: name,
    uid,
    runtime,
    revision: active,
    latest,
    rolling: rollout && rollout.state !== "complete" ? { to: rollout.to, state: rollout.state } : null,
    minScale,
    maxScale,
    queueDepth,
    ...load,
    statistics,
    problems,
  };
}

export function poolRow({ name, budget: _budget, ...spec }: PoolSpec, seen: Pick<PoolRow, "used" | "doubt" | "problems">): PoolRow {
  return { id: name, ...spec, ...seen };
}

/** The functions that are shown if there are more than `most`: those in use first, in the list's order. */
export function chosen(records: readonly FunctionRecord[], isInUse: (uid: string) => boolean, most: number): readonly FunctionRecord[] {
  if (records.length <= most) return records;
  const used = records.filter(({ uid }) => isInUse(uid));
  const idle = records.filter(({ uid }) => !isInUse(uid));
  return [...used, ...idle].slice(0, most);
}
