import type { DemandView, RevisionTarget } from "./world.ts";

/** A further instance that would use at most this share of its concurrency is not started immediately, … */
const SLACK = 0.1;
/** … unless an invocation has waited this long and no instance is on its way. */
const SLACK_MS = 200;

/**
 * The number of instances that a revision should have:
 *
 * ceil((waiting + inFlight) / concurrency) within minScale (1 if an invocation is expected) and maxScale, except that a few invocations
 * beyond a full instance (101 at concurrency 100) wait for free slots rather than start another instance.
 */
export function wantedInstances(spec: RevisionTarget, demand: DemandView | undefined, onTheirWay: number): number {
  const units = demand ? (demand.waiting + demand.inFlight) / spec.concurrency : 0;
  const full = Math.floor(units);
  const fraction = units - full;
  const waits = full > 0 && fraction <= SLACK && (onTheirWay > 0 || (demand?.oldestWaitMs ?? 0) < SLACK_MS);
  const wanted = fraction > 0 && !waits ? full + 1 : full;
  return Math.min(Math.max(wanted, leastInstances(spec)), spec.maxScale);
}

/** The number of instances that a revision has without any demand. */
export function leastInstances({ minScale, isExpected = false }: RevisionTarget): number {
  return Math.max(minScale, isExpected ? 1 : 0);
}
