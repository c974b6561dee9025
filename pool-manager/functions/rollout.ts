import { type FunctionRecord, type Revision, type Rollout, type RolloutPolicy, servedRevisions } from "./function.ts";

/** Minimum number of invocations for an error rate before the step's interval has passed. */
const MIN_SAMPLE = 20;
/** A rollout is stopped if a step's instances are not ready within this time. */
export const STALLED_MS = 600_000;

/** The observation that a rollout is decided by. */
export interface Evidence {
  /** Instances of the old and of the new revision. */
  total: number;
  /** Instances that have loaded the new revision. */
  ready: number;
  /** Why the new revision does not load, or its image cannot be swapped in; null if no failure is known. */
  failure: string | null;
  /** Invocations of the new revision that ended since the step began, and those of them that failed. */
  ended: number;
  failed: number;
  /** Time since the rollout last changed. */
  heldMs: number;
}

type Progress = Pick<FunctionRecord, "active" | "traffic" | "rollout">;

export type Rolling = Rollout & { state: "rolling" | "paused" };

/** True while it progresses or is paused. */
export function isRolling(rollout: Rollout | null): rollout is Rolling {
  return rollout?.state === "rolling" || rollout?.state === "paused";
}

/** The policy of a revision that takes over as soon as it is loaded: no steps, and failed invocations do not stop it. */
const ONCE_LOADED: RolloutPolicy = { steps: [], intervalMs: 0, parallel: 1, maxErrors: 100 };

/** The policy of the rollout in progress; null if there is none. */
export function paceOf({ rollout, rolloutPolicy }: Pick<FunctionRecord, "rollout" | "rolloutPolicy">): RolloutPolicy | null {
  if (!isRolling(rollout)) return null;
  return rollout.onceLoaded ? ONCE_LOADED : rolloutPolicy;
}

/** Served revisions, with the rollout's new revision first. */
export function byRelease(record: FunctionRecord): Revision[] {
  const { rollout } = record;
  const served = servedRevisions(record);
  return isRolling(rollout) ? [...served.filter(({ id }) => id === rollout.to), ...served.filter(({ id }) => id !== rollout.to)] : served;
}

/** Begins a rollout: the new revision first gets an instance, then invocations, by steps or (`onceLoaded`) all at once. */
export function begin({ active, traffic }: FunctionRecord, to: string, onceLoaded = false): Progress {
  const startedAt = new Date().toISOString();
  const rollout: Rollout = { from: active, to, step: 0, watching: false, state: "rolling", reason: null, startedAt, ...(onceLoaded && { onceLoaded }) };
  return { active, traffic: { ...traffic, split: onceLoaded ? { [to]: 0, ...traffic.split } : { [to]: 0 } }, rollout };
}

/** Ends a rollout: the old revision gets all invocations and its instances back. With `onceLoaded`, the other shares are unchanged. */
export function end({ active, traffic }: FunctionRecord, rollout: Rollout, state: "undone" | "stopped", reason: string): Progress {
  const split = rollout.onceLoaded ? Object.fromEntries(Object.entries(traffic.split).filter(([id, share]) => id !== rollout.to || share > 0)) : {};
  return { active, traffic: { ...traffic, split }, rollout: { ...rollout, watching: false, state, reason } };
}

/**
 * The next state of a rollout, or null if nothing changes. The share is raised only as far as `parallel` additional
 * instances can carry, and next when those have loaded.
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

/** Percentage of the invocations that the new revision has. */
export function percentOf({ traffic }: Pick<FunctionRecord, "traffic">, { to }: Rollout): number {
  return traffic.split[to] ?? 0;
}

function withPercent(record: FunctionRecord, rollout: Rollout, percent: number): Progress {
  return { active: record.active, traffic: { ...record.traffic, split: { [rollout.to]: percent } }, rollout };
}

/** A step's share in percent, or its instances as a percentage of `total`; 100 after the last step. */
export function targetOf({ steps }: RolloutPolicy, step: number, total: number): number {
  const wanted = steps[step];
  if (wanted === undefined) return 100;
  if (typeof wanted === "string") return Number.parseInt(wanted, 10);
  return Math.max(1, Math.min(100, Math.round((100 * wanted) / Math.max(total, wanted, 1))));
}

/** The number of instances, out of `total`, for a share of `percent`. Below 100 percent, one stays at least, and of two or more one moves at least. */
export function movedAt(percent: number, total: number): number {
  if (percent >= 100) return total;
  return Math.max(0, Math.min(Math.max(1, Math.round((total * percent) / 100)), total - 1));
}
