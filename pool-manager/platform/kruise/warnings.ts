import type { Kube } from "./kube.ts";
import type { KubeObject } from "./objects.ts";
import { isOwnLimit, withoutNames } from "./set-counts.ts";

/** Warnings that are older than this say nothing about what was asked for now. Milliseconds. */
const RECENT_MS = 60_000;
/** The kubelet repeats what keeps a pod from starting after pauses of up to two minutes. Milliseconds. */
export const KUBELET_RECENT_MS = 150_000;

interface EventList {
  items: { type?: string; message?: string; lastTimestamp?: string | null; eventTime?: string | null; metadata: { creationTimestamp: string } }[];
}

/**
 * The latest warning that Kubernetes has recorded of a CloneSet or pod, such as a quota that was exceeded; null: none
 * lately, or events cannot be read. Kruise leaves some refusals out of its conditions (LimitRanges, measured with 1.8.3).
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
    at: Date.parse(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp),
  }));
  const recent = times.filter(({ at, message }) => Date.now() - at < recentMs && !isOwnLimit(message)).sort((a, b) => b.at - a.at);
  return recent[0]?.message ? withoutNames(recent[0].message, name) : null;
}
