import type { Obstacle } from "../../platform.ts";
import { hasEnded, type Pod } from "../objects/objects.ts";
import { isStarted, runtimeTroubleOf, waitingOf } from "./containers.ts";

/** How much longer than its grace period the removal of a pod may take. */
const STUCK_AFTER_MS = 15_000;

/** When this pool manager first saw a pod in each state, in milliseconds on the platform's clock; null: it is not in that state. */
export interface Sightings {
  seenAt: number;
  /** First seen scheduled to a node. */
  scheduledSince: number | null;
  /** First seen running with an address. */
  runningSince: number | null;
  /** First seen being deleted. */
  deletingSince: number | null;
  /** First seen ended. */
  endedSince: number | null;
  /** Since when complete listings have lacked the pod although it answers. */
  missingSince: number | null;
  /** Since when there has been no connection to the pod; null: there is one. */
  unconnectedSince: number | null;
}

/** Why a node is not expected to start pods. */
export interface NodeTrouble {
  /** Milliseconds on the platform's clock. */
  since: number;
  message: string;
}

/** The sightings of a pod that is seen for the first time. */
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
 * The reason why a pod cannot serve; the first row that applies:
 *
 * | the pod                                                             | obstacle      |
 * |---------------------------------------------------------------------|---------------|
 * | is Failed or Succeeded                                              | `ended`       |
 * | is being deleted for longer than its grace period, plus a margin    | `stuck`       |
 * | is being deleted                                                    | none          |
 * | answers, but the API server no longer lists it                      | `unreachable` |
 * | is connected                                                        | none          |
 * | has no node                                                         | `pending`     |
 * | has a node that is unreachable or not ready, and has not started    | `unreachable` |
 * | has a node, but its runtime container has not started               | `blocked`     |
 * | runs, but there is no connection to it                              | `unreachable` |
 *
 * `trouble` is why there is no connection, as far as the connection knows, or why the pod does not start, from its Events.
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

/** The reason why an overdue deletion waits; null: it is not overdue. */
function overdueOf({ metadata }: Pod, { deletingSince }: Sightings, now: number): string | null {
  const graceMs = (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  if (deletingSince === null || now - deletingSince <= graceMs + STUCK_AFTER_MS) return null;
  const holders = metadata.finalizers?.join(", ");
  return holders ? `it waits for the finalizers ${holders}` : "its node does not confirm its deletion";
}

/**
 * Describes why a pod has ended. The kubelet states why it refused or evicted a pod in its status: a node out of resources,
 * an affinity, a full disk. Others use a condition: the scheduler for a pod of higher priority, a taint, a deleted node.
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
 * Detects an unreachable node before Kubernetes does, which takes 40 s: instances run there, and none of them answers.
 * `neighbours` are the sightings of the node's instances that have answered before.
 */
export function silenceOf(neighbours: Iterable<Sightings>): NodeTrouble | null {
  let silent = 0;
  let since = 0;
  for (const { runningSince, unconnectedSince, deletingSince, endedSince } of neighbours) {
    // An instance that ends or restarts is silent for its own reasons.
    if (runningSince === null || deletingSince !== null || endedSince !== null) continue;
    if (unconnectedSince === null) return null;
    silent += 1;
    since = Math.max(since, unconnectedSince);
  }
  return silent === 0 ? null : { since, message: `none of the ${silent} instances on its node answers` };
}
