import type { KubeClient } from "../../../kubernetes/client.ts";
import type { KubeObject } from "../../../kubernetes/objects.ts";
import { isOwnLimit, withoutNames } from "./messages.ts";

/** The age up to which a warning concerns the present request. */
const RECENT_MS = 60_000;
/** The same for Events of the kubelet, which repeats them at intervals of up to two minutes. */
export const KUBELET_RECENT_MS = 150_000;

/** Reasons of Events that explain why something does not start. Others, such as Kruise's FailedDelete, may. */
const FAILURE = /^(Failed(?!Delete)|Err|BackOff|Inspect|InvalidImage|NetworkNotReady|Unhealthy|Evicted|Preempt)/;
/** Reasons of the kubelet's remarks on a node's name resolution. It repeats them at each start, and many nodes have too many name servers. */
const HARMLESS = /^(MissingClusterDNS|DNSConfigForming|CheckLimitsForResolvConf)$/;

/** An Event's dates are its author's; only `creationTimestamp` is the API server's. */
interface RecordedEvent {
  type?: string;
  reason?: string;
  message?: string;
  firstTimestamp?: string | null;
  lastTimestamp?: string | null;
  eventTime?: string | null;
  series?: { lastObservedTime?: string | null } | null;
  metadata: { creationTimestamp: string };
}

/**
 * The latest failure that Events record of a CloneSet or pod, such as an exceeded quota, or else the latest warning; null:
 * there is no recent one that may explain it, or Events cannot be read. Kruise omits some refusals from its conditions (LimitRanges, measured with 1.8.3).
 */
export async function lastWarning(
  kube: Pick<KubeClient, "namespace" | "get" | "serverTime">,
  { metadata: { uid, name } }: KubeObject,
  recentMs = RECENT_MS,
): Promise<string | null> {
  const path = `/api/v1/namespaces/${kube.namespace}/events`;
  const list = await kube.get<{ items: RecordedEvent[] }>(path, { fieldSelector: `involvedObject.uid=${uid},type=Warning`, limit: "500" }).catch(() => null);
  if (!list) return null;
  const telling = list.items.filter(({ reason = "" }) => !HARMLESS.test(reason));
  const times = telling.map((event) => ({
    message: event.message ?? "",
    isFailure: FAILURE.test(event.reason ?? ""),
    at: lastSeen(event),
  }));
  const now = kube.serverTime();
  const recent = times
    .filter(({ at, message }) => now - at < recentMs && !isOwnLimit(message))
    .sort((a, b) => Number(b.isFailure) - Number(a.isFailure) || b.at - a.at);
  return recent[0]?.message ? withoutNames(recent[0].message, name) : null;
}

/**
 * When it happened last, by the API server's clock: a kubelet's or a controller's may be wrong by minutes, but what it
 * measures between the first time and the last is right.
 */
function lastSeen({ firstTimestamp, lastTimestamp, eventTime, series, metadata }: RecordedEvent): number {
  const first = Date.parse(firstTimestamp ?? eventTime ?? "");
  const last = Date.parse(series?.lastObservedTime ?? lastTimestamp ?? "");
  return Date.parse(metadata.creationTimestamp) + (Math.max(0, last - first) || 0);
}
