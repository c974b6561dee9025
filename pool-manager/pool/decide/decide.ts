import { DELETE_GRACE_MS } from "../../client/contract.ts";
import { reap, removeIdle, shortfallsOf, specialize, totalOf } from "./function-scaling.ts";
import { adopt, reload, renew, takeOver } from "./in-place-update.ts";
import { isAbandoned } from "./liveness.ts";
import { Plan } from "./plan.ts";
import { sizePool } from "./pool-sizing.ts";
import type { Decision, InstanceView, RemoveReason, World } from "./world.ts";

/** Nothing can run there any more, or ever has. */
const NO_GRACE: ReadonlySet<RemoveReason> = new Set(["failed", "start-timeout"]);
/** Their function is gone, and its routers end what runs after as long. */
const MASTERLESS: ReadonlySet<RemoveReason> = new Set(["deleted-function", "orphaned"]);

/**
 * What to do next, from what is observed, desired and demanded. Pure: the same world gives the same
 * decision. Nothing is decided while the world is not completely known.
 */
export function decide(world: World): Decision {
  if (!world.synced) return { actions: [], throttled: [], recheckAfterMs: null };
  const parts = world.pools.map((pool) => decidePool(new Plan(world, pool)));
  return {
    actions: parts.flatMap((part) => part.actions),
    throttled: parts.flatMap((part) => part.throttled),
    recheckAfterMs: parts.reduce<number | null>((least, { recheckAfterMs }) => earlier(least, recheckAfterMs), null),
  };
}

/** Each step takes what the ones before it have left. */
function decidePool(plan: Plan): Decision {
  removeBroken(plan);
  reload(plan);
  adopt(plan);
  takeOver(plan);
  const unmet = specialize(plan, shortfallsOf(plan));
  renew(plan);
  bind(plan, unmet.length > 0);
  reap(plan, unmet);
  removeIdle(plan);
  sizePool(plan, totalOf(unmet));
  return plan.decision;
}

function earlier(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

/** Instances that can no longer serve anyone, or serve someone they must not. */
function removeBroken(plan: Plan): void {
  for (const instance of plan.alive) {
    const reason = instance.removing ? null : brokenBy(plan, instance);
    if (reason) plan.remove(instance, reason, graceOf(plan, instance, reason));
  }
}

/** An instance that may still run something for somebody gets its function's time for that. */
function graceOf(plan: Plan, instance: InstanceView, reason: RemoveReason): number {
  if (NO_GRACE.has(reason)) return 0;
  const spec = plan.specOf(instance.functionUid ?? instance.boundTo, instance.revision ?? instance.boundRevision);
  return MASTERLESS.has(reason) ? DELETE_GRACE_MS : Math.max(DELETE_GRACE_MS, spec?.timeoutMs ?? 0);
}

function brokenBy(plan: Plan, instance: InstanceView): RemoveReason | null {
  if (instance.state === "failed") return "failed";
  // Somebody else had it drained, perhaps our predecessor: nobody remembers to delete it.
  if (instance.state === "gone" || instance.state === "draining") return "drained";
  if (instance.boundTo && instance.functionUid && instance.boundTo !== instance.functionUid) return "misbound";
  const masterless = masterlessBy(plan, instance);
  if (masterless) return masterless;
  if (instance.suspect) return "suspect";
  if (isAbandoned(instance, plan.world)) return "unreachable";
  return hasNotStarted(instance, plan.world) ? "start-timeout" : null;
}

/** Only a function whose end is known takes its instances along; one that is merely unknown may be declared again. */
function masterlessBy({ world }: Plan, { functionUid, boundTo }: InstanceView): RemoveReason | null {
  const owner = functionUid ?? boundTo;
  const end = owner === null ? undefined : world.unknownFunctions.get(owner);
  if (end === "deleted") return "deleted-function";
  return end === "unused" ? "orphaned" : null;
}

/** It is connected, belongs to nobody, and has not become prewarmed for the whole time since it was seen to run. */
function hasNotStarted({ state, boundTo, obstacle, runningSince, inFlight }: InstanceView, { now, pace }: World): boolean {
  if (state !== "starting" || boundTo !== null || obstacle !== null || inFlight > 0) return false;
  return runningSince !== null && now - runningSince > pace.startTimeoutMs;
}

/** The platform's record follows what the instance says of itself. */
function bind(plan: Plan, busy: boolean): void {
  const { now, pace } = plan.world;
  for (const instance of plan.usable()) {
    const { functionUid, revision, boundTo, boundRevision, binding, state, specializedAt } = instance;
    if (!functionUid || !revision || binding || state === "failed") continue;
    if (now - specializedAt < (busy ? pace.bindDelayMs : pace.bindAfterMs)) continue;
    // Another record of a bound instance is a swap in place.
    if (boundTo === null || (boundTo === functionUid && boundRevision !== revision && !plan.pool.paused)) {
      plan.do({ kind: "bind", instance, functionUid, revision });
    }
  }
}
