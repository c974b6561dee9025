import type { DemandView, RevisionTarget, WindowScale } from "./world.ts";

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
