import { DELETE_GRACE_MS } from "../../client/contract.ts";
import { reap, removeIdle, shortfallsOf, specialize, totalOf } from "./function-scaling.ts";
import { adopt, reload, removeRetired, renew, takeOver } from "./in-place-update.ts";
import { isAbandoned } from "./liveness.ts";
import { removeMoved } from "./moves.ts";
import { Plan } from "./plan.ts";
import { sizePool } from "./pool-sizing.ts";
import type { Decision, InstanceView, RemoveReason, World } from "./world.ts";

/** Reasons for which the instance runs nothing: it ended or never started. */
const NO_GRACE: ReadonlySet<RemoveReason> = new Set(["failed", "start-timeout"]);
/** Reasons for which the function is gone; routers end its running invocations after the same grace period. */
const MASTERLESS: ReadonlySet<RemoveReason> = new Set(["deleted-function", "orphaned"]);

/**
 * The next actions, from the observed and the desired state and demand. Pure: the same world gives the same decision.
 * An incomplete world gives no action.
 */
export function decide(world: World): Decision {
  if (!world.synced) return { actions: [], unmet: [], throttled: [], recheckAfterMs: null };
  const parts = world.pools.map((pool) => decidePool(new Plan(world, pool)));
  return {
    actions: parts.flatMap((part) => part.actions),
    unmet: parts.flatMap((part) => part.unmet),
    throttled: parts.flatMap((part) => part.throttled),
    recheckAfterMs: parts.reduce<number | null>((least, { recheckAfterMs }) => earlier(least, recheckAfterMs), null),
  };
}

/** Each step works with the instances and the budget that earlier steps left. */
function decidePool(plan: Plan): Decision {
  removeBroken(plan);
  removeRetired(plan);
  removeMoved(plan);
  adopt(plan);
  takeOver(plan);
  reload(plan);
  const unmet = specialize(plan, shortfallsOf(plan));
  renew(plan);
  bind(plan, unmet.length > 0);
  reap(plan, unmet);
  removeIdle(plan);
  const lacking = unmet.map(({ spec, missing }) => ({ pool: plan.pool.name, functionUid: spec.uid, missing }));
  return plan.decision(sizePool(plan, totalOf(unmet)), lacking);
}

function earlier(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

/** Removes instances that can no longer serve, or that serve a function they must not. */
function removeBroken(plan: Plan): void {
  for (const instance of plan.alive) {
    const reason = instance.removing ? null : brokenBy(plan, instance);
    if (reason) plan.remove(instance, reason, graceOf(plan, instance, reason));
  }
}

/** The drain time: an instance that may still run invocations gets its function's timeout. */
function graceOf(plan: Plan, instance: InstanceView, reason: RemoveReason): number {
  if (NO_GRACE.has(reason)) return 0;
  const owner = instance.functionUid ?? instance.boundTo;
  const spec = plan.specOf(owner, instance.revision ?? instance.boundRevision) ?? plan.functions.get(owner ?? "");
  return MASTERLESS.has(reason) ? DELETE_GRACE_MS : Math.max(DELETE_GRACE_MS, spec?.timeoutMs ?? 0);
}

function brokenBy(plan: Plan, instance: InstanceView): RemoveReason | null {
  if (instance.state === "failed") return "failed";
  // Another party drained it, perhaps the previous leader; without this, nobody would delete it.
  if (instance.state === "gone" || instance.state === "draining") return "drained";
  if (instance.boundTo && instance.functionUid && instance.boundTo !== instance.functionUid) return "misbound";
  const masterless = masterlessBy(plan, instance);
  if (masterless) return masterless;
  if (instance.suspect) return "suspect";
  if (isAbandoned(instance, plan.world)) return "unreachable";
  return hasNotStarted(instance, plan.world) ? "start-timeout" : null;
}

/** Instances are removed only if their function's end is known; a function that is merely unknown may be declared again. */
function masterlessBy({ world }: Plan, { functionUid, boundTo }: InstanceView): RemoveReason | null {
  const owner = functionUid ?? boundTo;
  const end = owner === null ? undefined : world.unknownFunctions.get(owner);
  if (end === "deleted") return "deleted-function";
  return end === "unused" ? "orphaned" : null;
}

/** True if it is connected and unbound, and has not become prewarmed within the start timeout since it was first observed running. */
function hasNotStarted({ state, boundTo, obstacle, runningSince, inFlight }: InstanceView, { now, pace }: World): boolean {
  if (state !== "starting" || boundTo !== null || obstacle !== null || inFlight > 0) return false;
  return runningSince !== null && now - runningSince > pace.startTimeoutMs;
}

/** Updates the platform's records to match the instances' echoes. */
function bind(plan: Plan, busy: boolean): void {
  const { now, pace } = plan.world;
  for (const instance of plan.usable()) {
    const { functionUid, revision, boundTo, boundRevision, binding, state, specializedAt } = instance;
    if (!functionUid || !revision || binding || state === "failed") continue;
    const isUrgent = plan.specOf(functionUid, revision)?.byImage === true;
    if (!isUrgent && now - specializedAt < (busy ? pace.bindDelayMs : pace.bindAfterMs)) continue;
    // Rebinding a bound instance is a swap.
    if (boundTo === null || (boundTo === functionUid && boundRevision !== revision && !plan.pool.paused)) {
      plan.do({ kind: "bind", instance, functionUid, revision });
    }
  }
}
