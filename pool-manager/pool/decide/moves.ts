import type { Plan } from "./plan.ts";
import { leastInstances } from "./wanted-instances.ts";
import type { InstanceView, RemoveReason, RevisionTarget } from "./world.ts";

/**
 * Removes instances of functions whose instances come from another pool: the function's memory has another size class now, or
 * the declared classes have changed. An instance cannot change its pool.
 *
 * | the instance has loaded | it is removed |
 * |---|---|
 * | nothing | at once |
 * | a revision that is no longer served | at once: routers send it nothing new, and its invocations finish |
 * | a served revision | once enough instances of its pool serve it, or when it has been idle for the idle timeout; not while a silent router may be using it |
 *
 * One that has not been heard yet may be serving, and stays.
 */
export function removeMoved(plan: Plan): void {
  for (const instance of plan.usable()) {
    const reason = movedBy(plan, instance);
    const { functionUid, boundTo, revision } = instance;
    const owner = functionUid ?? boundTo ?? "";
    if (reason) plan.remove(instance, reason, (plan.elsewhere(owner, revision) ?? plan.functions.get(owner))?.timeoutMs ?? 0);
  }
}

function movedBy(plan: Plan, instance: InstanceView): RemoveReason | null {
  const { functionUid, boundTo, revision, boundRevision, state, unsure } = instance;
  const owner = functionUid ?? boundTo;
  if (owner === null || state === "starting" || instance.ordering || !plan.functions.has(owner)) return null;
  if (plan.specOf(owner, functionUid === null ? boundRevision : revision)) return null;
  const target = functionUid === null ? undefined : plan.elsewhere(owner, revision);
  if (!target) return "replaced";
  if (unsure) return null;
  if (isReplaced(plan, target)) return "replaced";
  return isIdle(plan, instance, target) ? "idle" : null;
}

/** Whether instances of its own pool serve a revision, as many as it needs. */
function isReplaced(plan: Plan, target: RevisionTarget): boolean {
  const serving = [...plan.of(target)].filter(({ state, obstacle }) => state === "warm" && obstacle === null).length;
  return serving >= Math.max(1, plan.wanted(target));
}

function isIdle({ world }: Plan, { inFlight, lastUsedAt }: InstanceView, target: RevisionTarget): boolean {
  const isAwaited = (world.demand.get(target.key)?.waiting ?? 0) > 0;
  return inFlight === 0 && !isAwaited && leastInstances(target) === 0 && world.now - lastUsedAt > target.idleTimeoutMs;
}
