import type { Kube } from "./kube.ts";
import type { KubeObject } from "./objects.ts";
import { isOwnLimit, withoutNames } from "./set-counts.ts";

/** Warnings that are older than this say nothing about what was asked for now. Milliseconds. */
const RECENT_MS = 60_000;
/** The kubelet repeats what keeps a pod from starting after pauses of up to two minutes. Milliseconds. */
export const KUBELET_RECENT_MS = 150_000;

/**
 * Reasons of Events that say what keeps something from starting. Others, such as the kubelet's MissingClusterDNS and Kruise's
 * FailedDelete, are complaints that keep nothing from it; the kubelet's come with each try.
 */
const FAILURE = /^(Failed(?!Delete)|Err|BackOff|Inspect|InvalidImage|NetworkNotReady|Unhealthy|Evicted|Preempt)/;

interface EventList {
  items: {
    type?: string;
    reason?: string;
    message?: string;
    lastTimestamp?: string | null;
    eventTime?: string | null;
    metadata: { creationTimestamp: string };
  }[];
}

/**
 * The latest failure that Kubernetes has recorded of a CloneSet or pod, such as a quota that was exceeded, or else the latest
 * warning; null: none lately, or events cannot be read. Kruise leaves some refusals out of its conditions (LimitRanges, measured with 1.8.3).
 */
export async function lastWarning(
  kube: Pick<Kube, "namespace" | "get">,
  { metadata: { uid, name } }: KubeObject,
  recentMs = RECENT_MS,
): Promise<string | null> {
  const path = `/api/v1/namespaces/${kube.namespace}/events`;
  const list = await kube.get<EventList>(path, { fieldSelector: `involvedObject.uid=${uid},type=Warning`, limit: "500" }).catch(() => null);
  if (!list) return null;
  const times = list.items.map((event) => ({
    message: event.message ?? "",
    isFailure: FAILURE.test(event.reason ?? ""),
    at: Date.parse(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp),
  }));
  const recent = times
    .filter(({ at, message }) => Date.now() - at < recentMs && !isOwnLimit(message))
    .sort((a, b) => Number(b.isFailure) - Number(a.isFailure) || b.at - a.at);
  return recent[0]?.message ? withoutNames(recent[0].message, name) : null;
}
