import type { Echo } from "../../../../runtime-images/protocol/messages.ts";
import type { Binding, Instance, Obstacle } from "../../platform.ts";
import { ANNOTATION, CODE_CONTAINER, ownerOf, type Pod } from "../objects/objects.ts";
import type { PodOwner } from "../objects/pod-owner.ts";
import { resizePending } from "../resources/pod-resources.ts";
import type { Known } from "./known.ts";

/** A swap that takes longer is reported as failed. */
export const SWAP_DEADLINE_MS = 60_000;

/** Reasons of waiting containers that do not resolve by themselves. */
const STUCK = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "ErrImageNeverPull",
  "CreateContainerConfigError",
  "CreateContainerError",
  "CrashLoopBackOff",
]);

/** The part of a pod that decides a claim or a deletion: a status that the kubelet writes changes the pod's version, but none of this. */
export function substanceOf({ metadata, spec }: Pod): string {
  const { ownerReferences, labels, annotations, deletionTimestamp } = metadata;
  const ours = (values: Record<string, string> = {}) => Object.entries(values).filter(([name]) => name.startsWith("berth.dev/"));
  return JSON.stringify([
    ownerReferences?.map(({ uid }) => uid),
    ours(labels),
    ours(annotations),
    deletionTimestamp,
    spec.containers.map(({ image }) => image),
  ]);
}

/** The part of an instance's record that follows from other objects than its pod. */
export interface PodRecord extends PodOwner {
  replace: Instance["replace"];
  obstacle: Obstacle | null;
}

/** Builds the instance from its pod and its echo. */
export function podRecordOf(pod: Pod, known: Known, { pool, functionUid, isCounted, replace, obstacle }: PodRecord): Instance {
  const { metadata, spec, status } = pod;
  const ended = obstacle?.kind === "ended" ? obstacle.message : null;
  return {
    uid: metadata.uid,
    pool,
    node: spec.nodeName ?? null,
    host: status.podIP ?? "",
    key: known.key,
    resourceVersion: String(known.version),
    echo: known.echo && ended !== null ? endedEcho(known.echo, ended) : known.echo,
    binding: functionUid === null ? null : bindingOf(pod, functionUid),
    createdAt: known.createdAt,
    seenAt: known.seen.seenAt,
    runningSince: known.seen.runningSince,
    readyAt: known.readyAt,
    removing: (known.askedOf !== null && known.askedOf === (ownerOf(pod) ?? "")) || metadata.deletionTimestamp !== undefined,
    isCounted,
    replace,
    trouble: troubleOf(pod) ?? (known.overdue ? `the swapped image has not run within ${SWAP_DEADLINE_MS / 1000} s` : null),
    underResourced: resizePending(pod),
    obstacle,
  };
}

function endedEcho(echo: Echo, message: string): Echo {
  return { ...echo, state: "failed", loaded: false, error: { reason: "crash", message, revision: echo.revision } };
}

/** Whether the code container runs the image that the pod was bound to. */
export function hasSwapped({ metadata, status }: Pod): boolean {
  const code = status.containerStatuses?.find(({ name }) => name === CODE_CONTAINER);
  const digest = metadata.annotations?.[ANNOTATION.image];
  return code?.state?.running !== undefined && digest !== undefined && (code.imageID ?? "").endsWith(digest);
}

function bindingOf({ metadata }: Pod, functionUid: string): Binding {
  return { functionUid, revision: metadata.annotations?.[ANNOTATION.revision] ?? "" };
}

function troubleOf({ status }: Pod): string | null {
  const code = status.containerStatuses?.find(({ name }) => name === CODE_CONTAINER);
  const { reason = "", message = "" } = code?.state?.waiting ?? {};
  return STUCK.has(reason) ? `${reason}: ${message}` : null;
}

/** The function whose invocations this instance can take, for all that the cluster says of it; null: none. */
export function servedBy(instance: Instance | undefined): string | null {
  return instance && !instance.removing && instance.obstacle?.kind !== "ended" ? (instance.binding?.functionUid ?? null) : null;
}
