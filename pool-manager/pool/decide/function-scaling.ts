import { holdsPlace } from "../../platform/platform.ts";
import { pendingInPlace } from "./in-place-update.ts";
import { isLost, mayServe } from "./liveness.ts";
import { memoryFor, overMemory } from "./memory-use.ts";
import type { Plan } from "./plan.ts";
import { isUnbound } from "./pool-sizing.ts";
import { leastInstances, setInstances } from "./wanted-instances.ts";
import type { InstanceView, RemoveReason, RevisionTarget } from "./world.ts";

/** The number of instances that a revision lacks. */
export interface Shortfall {
  spec: RevisionTarget;
  missing: number;
  waiting: number;
  waitMs: number;
}

/** Shortfalls of all served revisions, longest wait first. */
export function shortfallsOf(plan: Plan): Shortfall[] {
  const needs: Shortfall[] = [];
  const memory = memoryFor(plan);
  for (const spec of plan.served.values()) {
    const demand = plan.world.demand.get(spec.key);
    const isWanted = demand !== undefined || leastInstances(spec) > 0 || plan.world.windowScales.has(spec.key);
    if (!isWanted || plan.isBlocked(spec)) continue;
    const own = [...plan.of(spec)];
    const onTheirWay = own.filter((instance) => instance.state === "specializing").length;
    // A waiting invocation needs a reachable instance; otherwise an unheard one is presumed to serve as before.
    const unheard = demand && demand.waiting > 0 ? 0 : unheardOf(plan, spec);
    const have = own.length + unheard + pendingInPlace(plan, spec);
    const lacking = Math.min(plan.wanted(spec, onTheirWay) - have, mayGrow(plan, spec));
    const missing = lacking > 0 ? memory(spec, lacking, plan.needed(spec, onTheirWay) - have) : 0;
    if (missing > 0) needs.push({ spec, missing, waiting: waitersFor(plan, spec), waitMs: demand?.oldestWaitMs ?? 0 });
  }
  return needs.sort((a, b) => b.waitMs - a.waitMs);
}

/** The number of waiting invocations; a caller that waits for the revision's first load counts as one. */
function waitersFor(plan: Plan, spec: RevisionTarget): number {
  const waiting = plan.world.demand.get(spec.key)?.waiting ?? 0;
  return spec.isAwaited && plan.of(spec).size === 0 ? Math.max(waiting, 1) : waiting;
}

/** The number of instances that are recorded as the revision's, have not sent an echo, and are not lost. */
function unheardOf(plan: Plan, spec: RevisionTarget): number {
  const isOurs = ({ boundTo, boundRevision }: InstanceView) => boundTo === spec.uid && plan.specOf(boundTo, boundRevision) === spec;
  return plan.usable().filter((instance) => instance.state === "starting" && isOurs(instance) && !isLost(instance, plan.world)).length;
}

/** How many instances a revision may gain. In a rollout, both of its revisions together stay within `maxScale`, but the new one gets its first instance. */
function mayGrow(plan: Plan, spec: RevisionTarget): number {
  const next = plan.rolling.get(spec.uid);
  const active = plan.functions.get(spec.uid);
  if (!next || !active || (spec !== next && spec !== active)) return Number.POSITIVE_INFINITY;
  const room = spec.maxScale - plan.of(next).size - plan.of(active).size;
  return spec === next && plan.of(next).size === 0 ? Math.max(1, room) : room;
}

/**
 * Orders loads onto free instances: first for revisions that invocations wait for, in each round one per revision, longest
 * wait first. Returns what is still missing.
 */
export function specialize(plan: Plan, needs: readonly Shortfall[]): Shortfall[] {
  const free = plan.free().sort((a, b) => Number(a.replace !== null) - Number(b.replace !== null) || a.readyAt - b.readyAt);
  const urgent = needs.filter(({ waiting }) => waiting > 0);
  const others = needs.filter(({ waiting }) => waiting === 0);
  return [...give(plan, urgent, free), ...give(plan, others, free)];
}

function give(plan: Plan, needs: readonly Shortfall[], free: InstanceView[]): Shortfall[] {
  let open = [...needs];
  while (open.length > 0 && free.length > 0) {
    for (const need of open) {
      const instance = free.shift();
      if (!instance) break;
      const waitedSince = plan.world.now - need.waitMs;
      plan.order(instance, need.spec, instance.readyAt > waitedSince ? "cold" : "prewarmed");
      need.missing -= 1;
    }
    open = open.filter((need) => need.missing > 0);
  }
  return open;
}

/** At `max`, removes the longest-idle instances above their function's `minScale` so that waiting functions get their places. */
export function reap(plan: Plan, unmet: readonly Shortfall[]): void {
  const waiting = totalOf(unmet.filter((need) => need.waiting > 0));
  const leaving = plan.alive.filter((instance) => plan.leaves(instance) && holdsPlace(instance)).length;
  // If no node has room, room below `max` is of no use until a pod goes.
  const coming = plan.starting() + (plan.nodesAreFull ? 0 : Math.max(plan.room(), 0));
  let short = waiting - coming - leaving;
  for (const instance of plan.usable().filter((one) => isUnbound(one) && isLost(one, plan.world) && !mayServe(one, plan.world))) {
    if (short <= 0) return;
    if (plan.remove(instance, "unreachable", 0)) short -= 1;
  }
  for (const instance of idleFirst(plan)) {
    if (short <= 0) return;
    if (removeAboveMin(plan, instance, "reaped")) short -= 1;
  }
}

/** Removes idle instances, longest idle first. */
export function removeIdle(plan: Plan): void {
  for (const instance of plan.usable().filter((one) => isStranded(plan, one))) plan.remove(instance, "idle", 0);
  for (const instance of idleFirst(plan)) {
    const reason = surplusBy(plan, instance);
    if (reason) removeAboveMin(plan, instance, reason);
  }
  for (const instance of overMemory(plan, idleFirst(plan))) removeAboveMin(plan, instance, "idle-memory");
}

/**
 * Why an idle instance is removed; null: it stays.
 *
 * | its revision | its instances | the reason |
 * |---|---|---|
 * | | above maxScale | `above-max-scale` |
 * | scales by demand, or is in a rollout, which moves its load faster than windows show | idle for the idle timeout | `idle` |
 * | scales by windows | used within the panic window, or a whole window is not known yet | |
 * | scales by windows | more than one, and more than the windows want | `scaled-down` |
 * | scales by windows, which want none | the last one, idle for the idle timeout | `idle` |
 */
function surplusBy(plan: Plan, { functionUid, revision, lastUsedAt }: InstanceView): RemoveReason | null {
  const spec = plan.specOf(functionUid, revision) as RevisionTarget;
  const own = plan.of(spec);
  if (own.size > spec.maxScale && ![...own].some(plan.renewal.isStale)) return "above-max-scale";
  const idleMs = plan.world.now - lastUsedAt;
  const idle = idleMs > spec.idleTimeoutMs ? "idle" : null;
  const scale = plan.rolling.has(spec.uid) ? undefined : plan.world.windowScales.get(spec.key);
  if (!scale) return idle;
  if (idleMs < scale.idleForMs) return null;
  if (own.size > 1) return own.size > plan.wanted(spec) ? "scaled-down" : null;
  return scale.wanted === 0 ? idle : null;
}

/** True if it is recorded as a function's but has nothing loaded, because the code failed to load, and has been idle for the idle timeout. */
function isStranded(plan: Plan, instance: InstanceView): boolean {
  const { state, boundTo, boundRevision, lastUsedAt, unsure } = instance;
  const spec = state === "prewarmed" && !unsure && !plan.isOrdered(instance) ? plan.specOf(boundTo, boundRevision) : undefined;
  return spec !== undefined && plan.isBlocked(spec) && plan.world.now - lastUsedAt > spec.idleTimeoutMs;
}

export function totalOf(needs: readonly Shortfall[]): number {
  return needs.reduce((sum, need) => sum + need.missing, 0);
}

function idleFirst(plan: Plan): InstanceView[] {
  const isIdle = (instance: InstanceView) => {
    if (instance.state !== "warm" || instance.inFlight > 0 || instance.unsure || plan.isOrdered(instance)) return false;
    const spec = plan.specOf(instance.functionUid, instance.revision);
    return spec !== undefined && (plan.world.demand.get(spec.key)?.waiting ?? 0) === 0;
  };
  return plan
    .usable()
    .filter(isIdle)
    .sort((a, b) => a.lastUsedAt - b.lastUsedAt);
}

/** An instance that is kept for an expected invocation gives way to functions that wait; with a schedule's, to the memory that others may take. */
function removeAboveMin(plan: Plan, instance: InstanceView, reason: RemoveReason): boolean {
  const spec = plan.specOf(instance.functionUid, instance.revision) as RevisionTarget;
  const least = reason === "idle-memory" ? setInstances(spec) : reason === "reaped" ? spec.minScale : leastInstances(spec);
  return plan.of(spec).size > least && plan.remove(instance, reason, spec.timeoutMs);
}
