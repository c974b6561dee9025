import type { Plan } from "./plan.ts";
import { startsAtOnce } from "./refill.ts";
import type { InstanceView } from "./state.ts";

/** A surplus prewarmed instance is kept this long before it is removed. Milliseconds. */
const SURPLUS_MS = 5000;

/** Creates for those who wait, then up to `size`; removes what is beyond both, and what fresh instances stand in for. */
export function fill(plan: Plan, unmet: number): void {
  const { world, pool, renewal } = plan;
  const unbound = plan.usable().filter((instance) => isUnbound(instance) && !plan.isOrdered(instance));
  const have = unbound.length + plan.expected();
  const stale = unbound.filter(renewal.isStale);
  // A fresh one first: what is ready never falls below the size.
  const goal = pool.size + unmet + Math.min(stale.length, world.pace.refill);
  const ready = unbound.filter(({ state }) => state === "prewarmed");
  for (const instance of stale.slice(0, Math.max(0, ready.length - pool.size - unmet))) plan.remove(instance, "replaced", 0);
  create(plan, Math.min(goal - have, plan.room(), startsOf(plan, unmet, have) - plan.starting()));
  const surplus = ready.filter(({ readyAt }) => world.now - readyAt > SURPLUS_MS);
  for (const instance of surplus.slice(0, Math.max(0, have - goal))) plan.remove(instance, "pool-shrunk", 0);
}

function create(plan: Plan, count: number): void {
  if (count <= 0) return;
  const { name } = plan.pool;
  // The platform counts by its own record: an instance that is claimed and not yet bound is still unbound there.
  const recorded = plan.alive.filter(({ boundTo, deleting }) => boundTo === null && !deleting).length;
  plan.do({ kind: "scale", pool: name, replicas: recorded + plan.expected() + count, create: count });
}

function startsOf(plan: Plan, unmet: number, have: number): number {
  const { world, pool, alive } = plan;
  const specializing = plan.anyOrdered || alive.some(({ state }) => state === "specializing");
  const quietForMs = world.now - Math.max(0, ...alive.map(({ specializedAt }) => specializedAt));
  const { starts, lookAgainMs } = startsAtOnce(world.pace, { size: pool.size, have, unmet, specializing, quietForMs });
  plan.lookAgainMs = lookAgainMs;
  return starts;
}

function isUnbound(instance: InstanceView): boolean {
  return instance.functionUid === null && (instance.state === "starting" || instance.state === "prewarmed");
}
