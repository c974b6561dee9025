import { movedAt } from "../../functions/rollout.ts";
import type { Plan } from "./plan.ts";
import { rolloutSize, takesNewInstances } from "./wanted-instances.ts";
import type { InstanceView, RevisionTarget } from "./world.ts";

/** Loads the active revision in place into the other instances of retired revisions, warm or still loading. */
export function reload(plan: Plan): void {
  for (const instance of plan.usable()) {
    const spec = plan.specOf(instance.functionUid, instance.revision);
    if (!spec || spec.byImage || plan.isOrdered(instance) || !(instance.state === "warm" || isSuperseded(instance, spec))) continue;
    if (instance.revision === spec.revision || plan.isBlocked(spec) || !plan.spend()) continue;
    plan.order(instance, spec, "warm");
  }
}

/** True if it loads a revision in whose place `spec` is served. The load may take until `loadTimeout`, and nobody wants its result. */
function isSuperseded({ state, ordering, revision }: InstanceView, spec: RevisionTarget): boolean {
  return state === "specializing" && !ordering && revision !== spec.revision;
}

/**
 * Removes instances of retired revisions that no other can be loaded into: those of images, whose program would have to end
 * first. Routers send them nothing new, and their invocations finish.
 */
export function removeRetired(plan: Plan): void {
  for (const instance of plan.usable()) {
    const spec = plan.specOf(instance.functionUid, instance.revision);
    const serves = instance.state === "warm" || instance.state === "specializing";
    if (spec?.byImage && serves && instance.revision !== spec.revision) plan.remove(instance, "replaced", spec.timeoutMs);
  }
}

/** Loads a function into each fresh instance that the platform records as the function's, such as one that replaced another. */
export function adopt(plan: Plan): void {
  for (const instance of plan.usable()) {
    const spec = plan.specOf(instance.boundTo, instance.boundRevision);
    if (!spec || instance.state !== "prewarmed" || plan.isBlocked(spec)) continue;
    plan.order(instance, spec, "cold");
    plan.of(spec).add(instance);
  }
}

/** In a rollout, loads the new revision in place into its share of the instances: first those whose load is superseded, then the least busy, then the least recently specialized. */
export function takeOver(plan: Plan): void {
  for (const spec of plan.rolling.values()) {
    const active = plan.functions.get(spec.uid);
    if (!spec.takesOver || !active || plan.isBlocked(spec) || !(plan.has(spec) || plan.has(active))) continue;
    if (takesNewInstances(spec, active)) {
      takePlaces(plan, spec, active);
      continue;
    }
    const { percent, parallel } = spec.takesOver;
    const [own, left] = [plan.of(spec), plan.of(active)];
    const goal = movedAt(percent, own.size + left.size);
    const idlest = [...left].filter(({ state }) => state === "warm").sort((a, b) => a.inFlight - b.inFlight || a.specializedAt - b.specializedAt);
    const ready = [...[...left].filter((instance) => isSuperseded(instance, active)), ...idlest];
    let changing = [...own].filter(({ state }) => state === "specializing").length;
    for (const instance of ready) {
      if (own.size >= goal || changing >= parallel || !plan.spend()) break;
      plan.order(instance, spec, "warm");
      left.delete(instance);
      own.add(instance);
      changing += 1;
    }
  }
}

/**
 * The same for a revision that takes new instances: free ones are loaded until it has its share of those that the function
 * needs, and the active one gives up as many as it no longer needs. Together they exceed that number by those that are
 * changing. If their pools differ, each pool's decision does its part.
 */
function takePlaces(plan: Plan, spec: RevisionTarget, active: RevisionTarget): void {
  const { percent, parallel } = spec.takesOver as NonNullable<RevisionTarget["takesOver"]>;
  const [own, left] = [plan.of(spec), plan.of(active)];
  const size = rolloutSize(spec, active, plan.world);
  const goal = movedAt(percent, size);
  let changing = [...own].filter(({ state }) => state === "specializing").length;
  if (plan.has(active) && changing === 0 && own.size > 0) {
    // The last one stays until the rollout is complete, unless its place is needed.
    const isLastKept = percent < 100 || own.size >= goal || own.size + left.size < spec.maxScale;
    giveUp(plan, active, Math.max(isLastKept ? 1 : 0, size - goal));
  }
  if (!plan.has(spec)) return;
  for (const instance of plan.free().filter(({ replace }) => replace === null)) {
    if (own.size >= goal || changing >= parallel || own.size + left.size >= spec.maxScale) break;
    plan.order(instance, spec, "prewarmed");
    own.add(instance);
    changing += 1;
  }
}

/** Removes an instance of the active revision beyond `share` and its demand. */
function giveUp(plan: Plan, active: RevisionTarget, share: number): void {
  const left = [...plan.of(active)];
  const keep = Math.max(share, plan.wanted(active), left.filter(({ unsure }) => unsure).length);
  const [idlest] = left.filter(({ state, unsure }) => state === "warm" && !unsure).sort((a, b) => a.inFlight - b.inFlight || a.lastUsedAt - b.lastUsedAt);
  if (left.length > keep && idlest) plan.remove(idlest, "replaced", active.timeoutMs);
}

/** The number of instances that a revision will still take over in place. */
export function pendingInPlace(plan: Plan, spec: RevisionTarget): number {
  const active = plan.functions.get(spec.uid);
  if (!spec.takesOver || !active || takesNewInstances(spec, active)) return 0;
  const own = plan.of(spec).size;
  return Math.max(0, movedAt(spec.takesOver.percent, own + plan.of(active).size) - own);
}

/** Replaces stale instances of functions, one per revision at a time: first loads a fresh one beside it, and removes it once that serves. */
export function renew(plan: Plan): void {
  const { renewal, alive } = plan;
  if (!alive.some(renewal.isStale)) return;
  let left = renewal.parallel;
  for (const spec of plan.served.values()) {
    const own = [...plan.of(spec)];
    const stale = own.find((instance) => renewal.isStale(instance) && instance.state === "warm");
    if (!stale || left === 0 || plan.isBlocked(spec)) continue;
    left -= 1;
    const serving = own.filter((instance) => instance.state === "warm" && !plan.isOrdered(instance)).length;
    // Instances that a silent router may be using count as needed.
    const keep = Math.max(1, plan.wanted(spec), own.filter(({ unsure }) => unsure).length);
    if (serving > keep) plan.remove(stale, "replaced", spec.timeoutMs);
    else if (serving === own.length) double(plan, spec);
  }
}

function double(plan: Plan, spec: RevisionTarget): void {
  const fresh = plan.free().find(({ replace }) => replace === null);
  if (!fresh) return;
  plan.order(fresh, spec, "prewarmed");
  plan.of(spec).add(fresh);
}
