import { type FunctionRecord, type Revision, type Rollout, type RolloutPolicy, servedRevisions } from "./function.ts";

/** So few invocations tell nothing while a step is still being watched. */
const MIN_SAMPLE = 20;
/** A step whose instances do not come within this time is given up. */
export const STALLED_MS = 600_000;

/** What is seen of a rollout. */
export interface Evidence {
  /** Instances of the function, of the old revision and the new one. */
  total: number;
  /** Those that have the new one loaded. */
  ready: number;
  /** Why the new one does not load, or its image does not come; null: nothing is known against it. */
  failure: string | null;
  /** Invocations of the new one since the step began. */
  ended: number;
  failed: number;
  /** Since the rollout was last changed. */
  heldMs: number;
}

type Progress = Pick<FunctionRecord, "active" | "traffic" | "rollout">;

export type Rolling = Rollout & { state: "rolling" | "paused" };

/** It still has a share to get, or a user to wait for. */
export function isRolling(rollout: Rollout | null): rollout is Rolling {
  return rollout?.state === "rolling" || rollout?.state === "paused";
}

/** A revision that takes over as soon as it is loaded has no steps, and its errors are its callers' affair. */
const ONCE_LOADED: RolloutPolicy = { steps: [], intervalMs: 0, parallel: 1, maxErrors: 100 };

/** How the revision takes over that is doing so; null: none is. */
export function paceOf({ rollout, rolloutPolicy }: Pick<FunctionRecord, "rollout" | "rolloutPolicy">): RolloutPolicy | null {
  if (!isRolling(rollout)) return null;
  return rollout.onceLoaded ? ONCE_LOADED : rolloutPolicy;
}

/** Revisions that can be invoked, the one first that is being released. */
export function byRelease(record: FunctionRecord): Revision[] {
  const { rollout } = record;
  const served = servedRevisions(record);
  return isRolling(rollout) ? [...served.filter(({ id }) => id === rollout.to), ...served.filter(({ id }) => id !== rollout.to)] : served;
}

/** Another revision takes over: first it gets an instance, then invocations, by steps or (`onceLoaded`) all of them. */
export function begin({ active, traffic }: FunctionRecord, to: string, onceLoaded = false): Progress {
  const startedAt = new Date().toISOString();
  const rollout: Rollout = { from: active, to, step: 0, watching: false, state: "rolling", reason: null, startedAt, ...(onceLoaded && { onceLoaded }) };
  return { active, traffic: { ...traffic, split: onceLoaded ? { [to]: 0, ...traffic.split } : { [to]: 0 } }, rollout };
}

/** The old revision gets all invocations again, and its instances back; what only waited to be loaded leaves all as it was. */
export function end({ active, traffic }: FunctionRecord, rollout: Rollout, state: "undone" | "stopped", reason: string): Progress {
  const split = rollout.onceLoaded ? Object.fromEntries(Object.entries(traffic.split).filter(([id, share]) => id !== rollout.to || share > 0)) : {};
  return { active, traffic: { ...traffic, split }, rollout: { ...rollout, watching: false, state, reason } };
}

/**
 * How a rollout gets on; null: as it is. Shares follow the instances: each change of them is as much as `parallel`
 * instances will carry, and the next one comes when those are loaded.
 */
export function advance(record: FunctionRecord, policy: RolloutPolicy, seen: Evidence): Progress | null {
  const { rollout } = record;
  if (!isRolling(rollout)) return null;
  const wrong = fault(rollout, policy, seen);
  if (wrong) return end(record, rollout, "stopped", wrong);
  if (rollout.state === "paused") return null;
  if (rollout.watching) return seen.heldMs < policy.intervalMs ? null : next(record, rollout, policy);
  const percent = percentOf(record, rollout);
  const goal = targetOf(policy, rollout.step, seen.total);
  if (seen.ready < Math.max(1, movedAt(percent, seen.total))) return null;
  if (rollout.onceLoaded) return complete(record, rollout);
  if (percent >= goal) return { ...record, rollout: { ...rollout, watching: true } };
  const carried = Math.ceil((100 * (seen.ready + policy.parallel)) / Math.max(seen.total, 1));
  return withPercent(record, rollout, Math.min(goal, Math.max(carried, percent + 1)));
}

function next(record: FunctionRecord, rollout: Rollout, { steps }: RolloutPolicy): Progress {
  if (rollout.step < steps.length) return { ...record, rollout: { ...rollout, step: rollout.step + 1, watching: false } };
  return complete(record, rollout);
}

function complete({ traffic }: FunctionRecord, rollout: Rollout): Progress {
  return { active: rollout.to, traffic: { ...traffic, split: {} }, rollout: { ...rollout, watching: false, state: "complete" } };
}

function fault({ to, watching, state }: Rollout, { maxErrors, intervalMs }: RolloutPolicy, { failure, ended, failed, heldMs }: Evidence): string | null {
  if (failure) return failure;
  const enough = ended >= MIN_SAMPLE || (watching && heldMs >= intervalMs);
  if (enough && failed * 100 > ended * maxErrors) return `${failed} of ${ended} invocations of ${to} failed (maxErrors ${maxErrors} percent)`;
  if (state === "rolling" && !watching && heldMs > STALLED_MS) return `no instance became ready for ${to} within ${STALLED_MS / 60_000} minutes`;
  return null;
}

/** Percent of the invocations that the rollout has given to the new revision. */
export function percentOf({ traffic }: Pick<FunctionRecord, "traffic">, { to }: Rollout): number {
  return traffic.split[to] ?? 0;
}

function withPercent(record: FunctionRecord, rollout: Rollout, percent: number): Progress {
  return { active: record.active, traffic: { ...record.traffic, split: { [rollout.to]: percent } }, rollout };
}

/** Share that a step gives: its percent, or that of its instances in all; after the last step everything. */
export function targetOf({ steps }: RolloutPolicy, step: number, total: number): number {
  const wanted = steps[step];
  if (wanted === undefined) return 100;
  if (typeof wanted === "string") return Number.parseInt(wanted, 10);
  return Math.max(1, Math.min(100, Math.round((100 * wanted) / Math.max(total, wanted, 1))));
}

/** Instances, of so many, that go with a share. While both are served each keeps one. */
export function movedAt(percent: number, total: number): number {
  if (percent >= 100) return total;
  return Math.max(0, Math.min(Math.max(1, Math.round((total * percent) / 100)), total - 1));
}
