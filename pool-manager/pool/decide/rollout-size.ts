import { leastInstances, wantedInstances } from "./wanted-instances.ts";
import type { DemandView, RevisionTarget, World } from "./world.ts";

type Seen = Pick<World, "demand" | "windowScales">;

/**
 * The number of instances that a function needs in a rollout that takes new instances: for the demand of both revisions, and
 * at least `minScale`. Their present number would not do: it grows by those that are changing, and its shares with it.
 */
export function rolloutSize(next: RevisionTarget, active: RevisionTarget, { demand, windowScales }: Seen): number {
  const both = [active, next];
  const sum = (of: (one: DemandView) => number) => both.reduce((total, { key }) => total + of(demand.get(key) ?? NONE), 0);
  const together = { waiting: sum(({ waiting }) => waiting), inFlight: sum(({ inFlight }) => inFlight), oldestWaitMs: 0 };
  const byWindows = both.reduce((total, { key }) => total + (windowScales.get(key)?.wanted ?? 0), 0);
  const byDemand = wantedInstances({ ...next, minScale: next.takesOver?.minScale ?? leastInstances(next) }, together, 0);
  return Math.min(Math.max(1, byDemand, byWindows), next.maxScale);
}

const NONE: DemandView = { waiting: 0, inFlight: 0, oldestWaitMs: 0 };

/** Whether a rollout gives its revision new instances: an instance can take it in place only if no image and no other pool is involved. */
export function takesNewInstances(next: RevisionTarget, active: RevisionTarget): boolean {
  return next.byImage || next.pool !== active.pool;
}

/** The same of a function as it is observed; null: no rollout of it takes new instances. */
export function rolloutSizeIn(world: Seen & Pick<World, "functions">, functionUid: string): number | null {
  const own = world.functions.filter(({ uid }) => uid === functionUid);
  const next = own.find(({ takesOver }) => takesOver !== null);
  const active = own.find((target) => target.active);
  return next && active && takesNewInstances(next, active) ? rolloutSize(next, active, world) : null;
}
