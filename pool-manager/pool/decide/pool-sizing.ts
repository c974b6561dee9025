import { isGivenUp, isLost, isUnheard, mayServe } from "./liveness.ts";
import { isFree, type Plan } from "./plan.ts";
import { startsAtOnce } from "./refill-pace.ts";
import type { InstanceView } from "./world.ts";

/** How long a surplus prewarmed instance is kept. */
const SURPLUS_MS = 5000;

/**
 * Creates instances for waiting invocations and up to `size`; removes surplus ones, and stale ones that fresh ones have replaced.
 * Returns the delay after which more may start without an event, or null.
 */
export function sizePool(plan: Plan, unmet: number): number | null {
  const { world, pool, renewal } = plan;
  const all = plan.usable().filter((instance) => isUnbound(instance) && !plan.isOrdered(instance));
  const lost = all.filter((instance) => isLost(instance, world));
  const unbound = all.filter((instance) => !lost.includes(instance));
  // Each lost instance is replaced once, since further ones would be as unreachable. An instance that became ready later shows that new ones are reachable.
  const hopeless = lost.filter(({ seenAt }) => seenAt >= lastStart(plan));
  const unheard = Math.min(unbound.filter((instance) => isUnheard(instance, world)).length, unmet);
  const have = unbound.length - unheard + plan.expected() + Math.max(0, hopeless.length - pool.size);
  const stale = unbound.filter(renewal.isStale);
  // Stale instances are replaced first and removed afterwards: the number of ready ones never falls below the size.
  const goal = pool.size + unmet + Math.min(stale.length, world.pace.refill);
  const ready = unbound.filter(isFree);
  for (const instance of stale.slice(0, Math.max(0, ready.length - pool.size - unmet))) plan.remove(instance, "replaced", 0);
  const { starts, recheckAfterMs } = startsOf(plan, unmet, have);
  create(plan, Math.min(goal - have, plan.room(), starts - plan.starting()));
  forgo(plan, lost, ready.length >= pool.size + unmet);
  const surplus = ready.filter(({ readyAt }) => world.now - readyAt > SURPLUS_MS);
  for (const instance of surplus.slice(0, Math.max(0, ready.length - goal))) plan.remove(instance, "pool-shrunk", 0);
  return recheckAfterMs;
}

/** When an instance of the pool last became ready; negative infinity if none is. */
function lastStart(plan: Plan): number {
  const started = plan.usable().filter(({ state, obstacle }) => obstacle === null && state !== "starting");
  return Math.max(Number.NEGATIVE_INFINITY, ...started.map(({ readyAt }) => readyAt));
}

/** Removes lost instances: all of them if the pool is full without them, otherwise one at a time once it is given up. */
function forgo(plan: Plan, lost: readonly InstanceView[], isFull: boolean): void {
  const idle = lost.filter((instance) => !mayServe(instance, plan.world));
  const due = isFull ? idle : idle.filter((instance) => isGivenUp(instance, plan.world)).slice(0, 1);
  for (const instance of due) plan.remove(instance, "unreachable", 0);
}

function create(plan: Plan, count: number): void {
  if (count <= 0) return;
  const { name } = plan.pool;
  const seen = new Set(plan.alive.map(({ uid }) => uid));
  plan.do({ kind: "scale", pool: name, seen, more: plan.expected() + count, create: count });
}

function startsOf(plan: Plan, unmet: number, have: number): { starts: number; recheckAfterMs: number | null } {
  const { world, pool, alive } = plan;
  const specializing = plan.anyOrdered || alive.some(({ state }) => state === "specializing");
  const quietForMs = world.now - Math.max(0, ...alive.map(({ specializedAt }) => specializedAt));
  return startsAtOnce(world.pace, { size: pool.size, have, unmet, specializing, quietForMs, refills: pool.refills ?? 0 });
}

/** True if no function owns it. One that is starting counts even if a function is recorded for it: it may turn out to be free. */
export function isUnbound({ functionUid, boundTo, state }: InstanceView): boolean {
  return functionUid === null && (state === "starting" || (state === "prewarmed" && boundTo === null));
}
