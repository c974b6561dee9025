import type { Informer } from "../../../kubernetes/informer/informer.ts";
import type { Metadata, OwnerReference } from "../../../kubernetes/objects.ts";
import { ANNOTATION, type CloneSet, LABEL, type Pod, RUNTIME_CONTAINER } from "./objects.ts";
import { poolNamedIn } from "./template.ts";

/** The names that `functionSetName` writes, with the function's uid. */
const FUNCTION_SET = /^fn-(.+?)(?:-\d+[mgt]i)?$/;

export type KnownSets = Pick<Informer<CloneSet>, "get">;

/** The pool and function that a pod belongs to. */
export interface PodOwner {
  /** Empty: neither its CloneSet nor its labels name a pool. */
  pool: string;
  /** Uid of the function that the pod is recorded for; null: none. */
  functionUid: string | null;
  /** Whether one of Berth's CloneSets owns the pod, so that Kruise counts it. */
  isCounted: boolean;
}

/**
 * Whether a pod is Berth's; Berth touches no other pod. A pod with edited labels still is while one of Berth's CloneSets
 * owns it. For a pod without such a CloneSet its label decides, together with `isOthers`: others may use that label too.
 */
export function isBerths(pod: Pod, sets: KnownSets): boolean {
  if (setOf(pod, sets)) return true;
  return pod.metadata.labels?.[LABEL.pool] !== undefined && !isOthers(pod);
}

/** Whether a labelled pod belongs to others: it has no runtime, or another controller owns it and Berth has never bound it to a function. */
function isOthers({ metadata, spec }: Pod): boolean {
  const controller = controllerOf(metadata);
  if (!spec.containers.some(({ name }) => name === RUNTIME_CONTAINER)) return true;
  if (!controller || (controller.kind === "CloneSet" && isSetName(controller.name))) return false;
  return metadata.annotations?.[ANNOTATION.fingerprint] === undefined;
}

/**
 * Derives a pod's owner from its CloneSet, to which only Berth moves pods. Labels can be changed by hand and by webhooks:
 * they count only if the pod has no known CloneSet.
 */
export function podOwnerOf(pod: Pod, sets: KnownSets): PodOwner {
  const { labels } = pod.metadata;
  const set = setOf(pod, sets);
  const pool = (set && poolOfSet(set)) || (labels?.[LABEL.pool] ?? "");
  return { pool, functionUid: set ? functionOfSet(set) : (labels?.[LABEL.function] ?? null), isCounted: set !== undefined };
}

/** Whether a CloneSet is Berth's, by its name and selector, which are immutable; labels and annotations do not count. A copy has another name. */
export function isBerthsSet({ metadata, spec }: CloneSet): boolean {
  return isSetName(metadata.name) && spec.selector?.matchLabels?.[LABEL.set] === metadata.name;
}

/** The pool of a CloneSet: from the immutable name of a pool's CloneSet, or from the labels of a function's, which are also in its template. */
export function poolOfSet({ metadata, spec }: CloneSet): string {
  return poolNamedIn(metadata.name) ?? spec.template.metadata?.labels?.[LABEL.pool] ?? metadata.labels?.[LABEL.pool] ?? "";
}

/** The uid of the function that a CloneSet belongs to, from its immutable name; null: it is a pool's. */
export function functionOfSet({ metadata }: CloneSet): string | null {
  return FUNCTION_SET.exec(metadata.name)?.[1] ?? null;
}

function setOf({ metadata }: Pod, sets: KnownSets): CloneSet | undefined {
  const owner = controllerOf(metadata);
  const set = owner && sets.get(owner.name);
  return set?.metadata.uid === owner?.uid ? set : undefined;
}

function controllerOf({ ownerReferences }: Metadata): OwnerReference | undefined {
  return ownerReferences?.find(({ controller }) => controller);
}

function isSetName(name: string): boolean {
  return poolNamedIn(name) !== null || FUNCTION_SET.test(name);
}
