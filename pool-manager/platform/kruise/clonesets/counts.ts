import { isOwnLimit, withoutNames } from "../objects/messages.ts";
import { type CloneSet, hasEnded, ownerOf, type Pod } from "../objects/objects.ts";
import { poolOfSet } from "../objects/pod-owner.ts";

/** Pods that count for a CloneSet: owned, not ended, not being deleted. */
export function livePods(set: CloneSet, pods: Iterable<Pod>): Pod[] {
  return [...pods].filter((pod) => ownerOf(pod) === set.metadata.uid && isLive(pod));
}

/** The number of pods by pool, as Kruise counts them. */
export function countedPods(sets: Iterable<CloneSet>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const set of sets) {
    const pool = poolOfSet(set);
    counts.set(pool, (counts.get(pool) ?? 0) + (set.status?.replicas ?? 0));
  }
  return counts;
}

/** How many pods Kruise counts for a CloneSet beyond the live ones. Its count may merely be late. */
export function unseenPods({ status }: CloneSet, live: readonly Pod[]): number {
  return Math.max(0, (status?.replicas ?? 0) - live.length);
}

/** Why Kruise could not create pods of a CloneSet the last time it looked at it; null: it could, or has not looked yet. */
export function failedScaleOf(set: CloneSet): string | null {
  const { metadata, status } = set;
  if (isComplete(set) || (status?.observedGeneration ?? 0) < (metadata.generation ?? 0)) return null;
  const condition = status?.conditions?.find(({ type, status }) => type === "FailedScale" && status === "True");
  const message = condition && (condition.message ?? condition.reason ?? "FailedScale");
  return message && !isOwnLimit(message) ? withoutNames(message, metadata.name) : null;
}

/** Whether Kruise has observed the latest generation and created all its replicas. */
export function isComplete({ metadata, spec, status }: CloneSet): boolean {
  return (status?.observedGeneration ?? -1) >= (metadata.generation ?? 0) && (status?.replicas ?? 0) >= spec.replicas;
}

/** Whether Kruise has observed the latest generation: `updateRevision` is that of the present template then. */
export function isObserved({ metadata, status }: CloneSet): boolean {
  return (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
}

export function isReady({ status }: Pod): boolean {
  return status.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

function isLive(pod: Pod): boolean {
  return !pod.metadata.deletionTimestamp && !hasEnded(pod);
}
