import type { Informer } from "../../../kubernetes/informer/informer.ts";
import type { Metadata, OwnerReference } from "../../../kubernetes/objects.ts";
import { ANNOTATION, type CloneSet, LABEL, type Pod, RUNTIME_CONTAINER } from "./objects.ts";
import { poolNamedIn } from "./template.ts";

const FUNCTION_SET = /^fn-(.+)$/;

export type KnownSets = Pick<Informer<CloneSet>, "get">;

/** Where a pod belongs. */
export interface PodOwner {
  /** Empty: neither its CloneSet nor its labels tell. */
  pool: string;
  /** Uid of the function that it is recorded for; null: none. */
  functionUid: string | null;
  /** It has a CloneSet of Berth's, for which Kruise counts it. */
  isCounted: boolean;
}

/**
 * Whether a pod is Berth's: nothing is done to any other one. One whose labels somebody has changed still is, for as long as
 * it counts for a CloneSet of Berth's. Without such a CloneSet its label says so, but others may use that label, too.
 */
export function isBerths(pod: Pod, sets: KnownSets): boolean {
  if (setOf(pod, sets)) return true;
  return pod.metadata.labels?.[LABEL.pool] !== undefined && !isOthers(pod);
}

/** It has no runtime, or something that is not a CloneSet of Berth's controls it, and Berth has never bound it to a function. */
function isOthers({ metadata, spec }: Pod): boolean {
  const controller = controllerOf(metadata);
  if (!spec.containers.some(({ name }) => name === RUNTIME_CONTAINER)) return true;
  if (!controller || (controller.kind === "CloneSet" && isSetName(controller.name))) return false;
  return metadata.annotations?.[ANNOTATION.fingerprint] === undefined;
}

/**
 * By its CloneSet, to which only Berth moves pods. A pod's labels are changed by hand and by webhooks: they count where
 * it has no CloneSet that is known.
 */
export function podOwnerOf(pod: Pod, sets: KnownSets): PodOwner {
  const { labels } = pod.metadata;
  const set = setOf(pod, sets);
  const pool = (set && poolOfSet(set)) || (labels?.[LABEL.pool] ?? "");
  return { pool, functionUid: set ? functionOfSet(set) : (labels?.[LABEL.function] ?? null), isCounted: set !== undefined };
}

/** Whether a CloneSet is Berth's, whatever its labels and annotations say: nobody can change its name and its selector. Copies have another name. */
export function isBerthsSet({ metadata, spec }: CloneSet): boolean {
  return isSetName(metadata.name) && spec.selector?.matchLabels?.[LABEL.set] === metadata.name;
}

/** A pool's CloneSet tells it by its name, which nobody can change; a function's by its labels, which are in its template, too. */
export function poolOfSet({ metadata, spec }: CloneSet): string {
  return poolNamedIn(metadata.name) ?? spec.template.metadata?.labels?.[LABEL.pool] ?? metadata.labels?.[LABEL.pool] ?? "";
}

/** Uid of the function that a CloneSet is of, by its name, which nobody can change; null: it is a pool's. */
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
