import { ANNOTATION, type CloneSet, LABEL, type OwnerReference, type Pod } from "./objects.ts";
import type { Reflector } from "./reflector.ts";
import { poolNamedIn } from "./template.ts";

export type KnownSets = Pick<Reflector<CloneSet>, "get">;

/** Where a pod belongs. */
export interface Belonging {
  /** Empty: neither its CloneSet nor its labels tell. */
  pool: string;
  /** Uid of the function that it is recorded for; null: none. */
  functionUid: string | null;
  /** It has a CloneSet of Berth's, for which Kruise counts it. */
  isCounted: boolean;
}

/** Whether a pod is Berth's. One whose labels somebody has changed still is, for as long as it counts for a CloneSet of Berth's. */
export function isBerths(pod: Pod, sets: KnownSets): boolean {
  return pod.metadata.labels?.[LABEL.pool] !== undefined || setOf(pod, sets) !== undefined;
}

/**
 * By its CloneSet, to which only Berth moves pods. A pod's labels are changed by hand and by webhooks: they count where
 * it has no CloneSet that is known.
 */
export function belongingOf(pod: Pod, sets: KnownSets): Belonging {
  const { labels } = pod.metadata;
  const set = setOf(pod, sets);
  const pool = (set && poolOfSet(set)) || (labels?.[LABEL.pool] ?? "");
  return { pool, functionUid: set ? functionOfSet(set) : (labels?.[LABEL.function] ?? null), isCounted: set !== undefined };
}

/** Whether a CloneSet is Berth's, whatever has become of its labels and annotations: nobody can change its name and its selector. */
export function isBerthsSet({ metadata, spec }: CloneSet): boolean {
  if (metadata.labels?.[LABEL.pool] !== undefined || spec.selector?.matchLabels?.[LABEL.set] === metadata.name) return true;
  return /^(pool|fn)-/.test(metadata.name) && metadata.annotations?.[ANNOTATION.term] !== undefined;
}

/** A pool's CloneSet tells it by its name, which nobody can change; a function's by its labels, which are in its template, too. */
export function poolOfSet({ metadata, spec }: CloneSet): string {
  return poolNamedIn(metadata.name) ?? spec.template.metadata?.labels?.[LABEL.pool] ?? metadata.labels?.[LABEL.pool] ?? "";
}

/** Uid of the function that a CloneSet is of, by its name, which nobody can change; null: it is a pool's. */
export function functionOfSet({ metadata }: CloneSet): string | null {
  return /^fn-(.+)$/.exec(metadata.name)?.[1] ?? null;
}

function setOf({ metadata }: Pod, sets: KnownSets): CloneSet | undefined {
  const owner: OwnerReference | undefined = metadata.ownerReferences?.find(({ controller }) => controller);
  const set = owner && sets.get(owner.name);
  return set?.metadata.uid === owner?.uid ? set : undefined;
}
