import type { Obstacle } from "../../platform.ts";
import { hasEnded, type Pod } from "../objects/objects.ts";
import { isStarted, runtimeTroubleOf, waitingOf } from "./containers.ts";

/** The kubelet and the API server get this much longer than a pod's grace to remove it. */
const STUCK_AFTER_MS = 15_000;

/** What this pool manager has seen of a pod, in milliseconds on the platform's clock; null: it has not. */
export interface Sightings {
  seenAt: number;
  /** First seen with a node. */
  scheduledSince: number | null;
  /** First seen to run, at its present address. */
  runningSince: number | null;
  /** First seen to be deleted. */
  deletingSince: number | null;
  /** First seen to have ended. */
  endedSince: number | null;
  /** Since when complete listings have lacked it, though it answers. */
  missingSince: number | null;
  /** Since when there has been no connection to it; null: there is one. */
  unconnectedSince: number | null;
}

/** Why a node is not expected to start pods. */
export interface NodeTrouble {
  /** Milliseconds on the platform's clock. */
  since: number;
  message: string;
}

/** A pod that is seen for the first time. */
export function firstSight(now: number): Sightings {
  return { seenAt: now, scheduledSince: null, runningSince: null, deletingSince: null, endedSince: null, missingSince: null, unconnectedSince: now };
}

/** Its connection is open, or not. */
export function connectionSeen(seen: Sightings, isConnected: boolean, now: number): Sightings {
  return { ...seen, unconnectedSince: isConnected ? null : (seen.unconnectedSince ?? now) };
}

/** Takes in how a pod is now. */
export function sighted(before: Sightings, pod: Pod, now: number): Sightings {
  const { status, spec, metadata } = pod;
  const isRunning = status.podIP !== undefined && isStarted(pod);
  return {
    ...before,
    scheduledSince: spec.nodeName ? (before.scheduledSince ?? now) : null,
    runningSince: isRunning ? (before.runningSince ?? now) : null,
    deletingSince: metadata.deletionTimestamp ? (before.deletingSince ?? now) : null,
    endedSince: hasEnded(pod) ? (before.endedSince ?? now) : null,
    missingSince: null,
  };
}

/**
 * What keeps a pod from serving; the first row that is true:
 *
 * | the pod                                                     | obstacle      |
 * |-------------------------------------------------------------|---------------|
 * | is Failed or Succeeded                                      | `ended`       |
 * | is being deleted for longer than its grace, and some time   | `stuck`       |
 * | answers, and the API server no longer lists it              | `unreachable` |
 * | is connected to                                             | none          |
 * | has no node                                                 | `pending`     |
 * | has a node that is away, and has not started there          | `unreachable` |
 * | has a node, and its runtime container has not started       | `blocked`     |
 * | runs, and there is no connection to it                      | `unreachable` |
 *
 * `trouble` is why there is no connection, as far as the link knows; or why it does not start, by the pod's Events.
 * `node` is what is wrong with its node.
 */
export function obstacleOf(pod: Pod, seen: Sightings, trouble: string | null, node: NodeTrouble | null, now: number): Obstacle | null {
  const overdue = overdueOf(pod, seen, now);
  if (seen.endedSince !== null) return { kind: "ended", since: seen.endedSince, message: [endOf(pod), overdue].filter(Boolean).join("; ") };
  if (seen.deletingSince !== null) return overdue === null ? null : { kind: "stuck", since: seen.deletingSince, message: overdue };
  if (seen.missingSince !== null) return { kind: "unreachable", since: seen.missingSince, message: "it answers, but the API server no longer lists it" };
  if (seen.unconnectedSince === null) return null;
  if (seen.scheduledSince === null) return { kind: "pending", since: seen.seenAt, message: conditionOf(pod, "PodScheduled") ?? "it waits for a node" };
  if (seen.runningSince === null && node) return { kind: "unreachable", since: Math.max(seen.scheduledSince, node.since), message: node.message };
  if (seen.runningSince === null) return { kind: "blocked", since: seen.scheduledSince, message: waitingOf(pod, trouble) };
  const message = [runtimeTroubleOf(pod), trouble].filter(Boolean).join("; ") || "it cannot be connected to";
  return { kind: "unreachable", since: Math.max(seen.unconnectedSince, seen.runningSince), message };
}

/** What a deletion waits for that is overdue; null: it is not. */
function overdueOf({ metadata }: Pod, { deletingSince }: Sightings, now: number): string | null {
  const graceMs = (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  if (deletingSince === null || now - deletingSince <= graceMs + STUCK_AFTER_MS) return null;
  const holders = metadata.finalizers?.join(", ");
  return holders ? `it waits for the finalizers ${holders}` : "its node does not confirm its deletion";
}

/**
 * The kubelet says why it has refused or evicted a pod: a node out of room, an affinity, a full disk. Others that end one
 * say so in a condition: the scheduler for a pod of higher priority, a taint, a node that is gone.
 */
function endOf(pod: Pod): string {
  const { status } = pod;
  const why = [status.reason ?? status.phase, status.message, conditionOf(pod, "DisruptionTarget", "True")].filter(Boolean).join(": ");
  return `the pod has ended: ${why}`;
}

function conditionOf({ status }: Pod, type: string, value = "False"): string | null {
  const condition = status.conditions?.find((one) => one.type === type && one.status === value);
  return condition ? [condition.reason, condition.message].filter(Boolean).join(": ") : null;
}

/**
 * Whether a node is away, which Kubernetes notices only after 40 s: instances run there, and none of them answers.
 * `neighbours` are what was seen of those on the node that have answered before.
 */
export function silenceOf(neighbours: Iterable<Sightings>): NodeTrouble | null {
  let silent = 0;
  let since = 0;
  for (const { runningSince, unconnectedSince, deletingSince, endedSince } of neighbours) {
    // One that stops, or starts anew, is silent for reasons of its own.
    if (runningSince === null || deletingSince !== null || endedSince !== null) continue;
    if (unconnectedSince === null) return null;
    silent += 1;
    since = Math.max(since, unconnectedSince);
  }
  return silent === 0 ? null : { since, message: `none of the ${silent} instances on its node answers` };
}
