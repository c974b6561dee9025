import type { Kube } from "./kube.ts";
import type { CloneSet } from "./objects.ts";
import { withoutNames } from "./set-counts.ts";

/** Warnings that are older than this say nothing about what was asked for now. Milliseconds. */
const RECENT_MS = 30_000;

interface EventList {
  items: { type?: string; message?: string; lastTimestamp?: string | null; eventTime?: string | null; metadata: { creationTimestamp: string } }[];
}

/**
 * The latest warning that Kubernetes has recorded of a CloneSet, such as a quota that was exceeded; null: none lately,
 * or events cannot be read. Kruise leaves some refusals out of its conditions (LimitRanges, measured with 1.8.3).
 */
export async function lastWarning(kube: Kube, { metadata: { uid, name } }: CloneSet): Promise<string | null> {
  const path = `/api/v1/namespaces/${kube.namespace}/events`;
  const list = await kube.get<EventList>(path, { fieldSelector: `involvedObject.uid=${uid},type=Warning`, limit: "500" }).catch(() => null);
  if (!list) return null;
  const times = list.items.map((event) => ({
    message: event.message ?? "",
    at: Date.parse(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp),
  }));
  const recent = times.filter(({ at }) => Date.now() - at < RECENT_MS).sort((a, b) => b.at - a.at);
  return recent[0]?.message ? withoutNames(recent[0].message, name) : null;
}
