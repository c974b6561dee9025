import { isGivenUp, isLost, isUnheard, mayServe } from "./liveness.ts";
import { isFree, type Plan } from "./plan.ts";
import { startsAtOnce } from "./refill-pace.ts";
import type { InstanceView } from "./world.ts";

/** A surplus prewarmed instance is kept this long before it is removed. */
const SURPLUS_MS = 5000;

/** Creates for those who wait, then up to `size`; removes what is beyond both, and what fresh instances stand in for. */
export function sizePool(plan: Plan, unmet: number): void {
  const { world, pool, renewal } = plan;
  const all = plan.usable().filter((instance) => isUnbound(instance) && !plan.isOrdered(instance));
  const lost = all.filter((instance) => isLost(instance, world));
  const unbound = all.filter((instance) => !lost.includes(instance));
  // Each lost one is made up for once: where no instance can be reached, more of them help nobody. One that started later shows that they do.
  const hopeless = lost.filter(({ seenAt }) => seenAt >= lastStart(plan));
  const unheard = Math.min(unbound.filter((instance) => isUnheard(instance, world)).length, unmet);
  const have = unbound.length - unheard + plan.expected() + Math.max(0, hopeless.length - pool.size);
  const stale = unbound.filter(renewal.isStale);
  // A fresh one first: what is ready never falls below the size.
  const goal = pool.size + unmet + Math.min(stale.length, world.pace.refill);
  const ready = unbound.filter(isFree);
  for (const instance of stale.slice(0, Math.max(0, ready.length - pool.size - unmet))) plan.remove(instance, "replaced", 0);
  create(plan, Math.min(goal - have, plan.room(), startsOf(plan, unmet, have) - plan.starting()));
  forgo(plan, lost, ready.length >= pool.size + unmet);
  const surplus = ready.filter(({ readyAt }) => world.now - readyAt > SURPLUS_MS);
  for (const instance of surplus.slice(0, Math.max(0, ready.length - goal))) plan.remove(instance, "pool-shrunk", 0);
}

/** When an instance of the pool last became ready. */
function lastStart(plan: Plan): number {
  const started = plan.usable().filter(({ state, obstacle }) => obstacle === null && state !== "starting");
  return Math.max(Number.NEGATIVE_INFINITY, ...started.map(({ readyAt }) => readyAt));
}

/** Lost instances go when the pool is full without them, and one at a time when they have been lost for long. */
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

function startsOf(plan: Plan, unmet: number, have: number): number {
  const { world, pool, alive } = plan;
  const specializing = plan.anyOrdered || alive.some(({ state }) => state === "specializing");
  const quietForMs = world.now - Math.max(0, ...alive.map(({ specializedAt }) => specializedAt));
  const { starts, recheckAfterMs } = startsAtOnce(world.pace, { size: pool.size, have, unmet, specializing, quietForMs });
  plan.recheckAfterMs = recheckAfterMs;
  return starts;
}

/** It belongs to the pool, and to nobody else. An unheard one with a function's record may still turn out to be free. */
export function isUnbound({ functionUid, boundTo, state }: InstanceView): boolean {
  return functionUid === null && (state === "starting" || (state === "prewarmed" && boundTo === null));
}
