import type { DemandView, RevisionTarget, WindowScale, World } from "./world.ts";

/** A further instance that would use at most this share of its concurrency is not started immediately, … */
const SLACK = 0.1;
/** … unless an invocation has waited this long and no instance is on its way. */
const SLACK_MS = 200;

/**
 * The number of instances that a revision should have, within minScale (1 if an invocation is expected) and maxScale.
 * `scale`: what its windows say; absent: it scales by the present demand.
 *
 * | windows | waiting invocations | wanted |
 * |---|---|---|
 * | no | | by the present demand |
 * | yes | no | by the windows |
 * | yes | yes | by the windows or by the present demand, whichever is more, but not above the scale-up rate |
 */
export function wantedInstances(spec: RevisionTarget, demand: DemandView | undefined, onTheirWay: number, scale?: WindowScale): number {
  const wanted = scale ? byWindows(spec, demand, onTheirWay, scale) : byDemand(spec, demand, onTheirWay);
  return Math.min(Math.max(wanted, leastInstances(spec)), spec.maxScale);
}

function byWindows(spec: RevisionTarget, demand: DemandView | undefined, onTheirWay: number, { wanted, most }: WindowScale): number {
  if (!demand || demand.waiting === 0) return wanted;
  const least = spec.windowScaling?.activationScale ?? 1;
  return Math.max(wanted, Math.min(Math.max(byDemand(spec, demand, onTheirWay), least), most));
}

/**
 * ceil((waiting + inFlight) / concurrency), except that a few invocations beyond a full instance (101 at concurrency 100)
 * wait for free slots rather than start another instance.
 */
function byDemand({ concurrency }: RevisionTarget, demand: DemandView | undefined, onTheirWay: number): number {
  const units = demand ? (demand.waiting + demand.inFlight) / concurrency : 0;
  const full = Math.floor(units);
  const fraction = units - full;
  const waits = full > 0 && fraction <= SLACK && (onTheirWay > 0 || (demand?.oldestWaitMs ?? 0) < SLACK_MS);
  return fraction > 0 && !waits ? full + 1 : full;
}

/** The number of instances that invocations need at present, and at least those of `minScale` without schedules: windows and expectations aside. */
export function neededInstances(spec: RevisionTarget, demand: DemandView | undefined, onTheirWay: number): number {
  return Math.min(Math.max(byDemand(spec, demand, onTheirWay), setInstances(spec)), spec.maxScale);
}

/** The `minScale` that a user has set. */
export function setInstances({ minScale, scheduled = 0 }: RevisionTarget): number {
  return minScale - scheduled;
}

/** The number of instances that a revision has without any demand. */
export function leastInstances({ minScale, isExpected = false }: RevisionTarget): number {
  return Math.max(minScale, isExpected ? 1 : 0);
}

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
