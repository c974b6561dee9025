import { LABEL, type Pod, RUNTIME_CONTAINER } from "./objects.ts";

/** The names that `poolSetNameOf` writes, with the pool's name and the hash. */
const POOL_SET = /^pool-(.+)-([0-9a-f]{8})$/;
const HASH = /^[0-9a-f]{8}$/;

/** The present template of a pool's pods. */
export interface PodTemplate {
  /** Hash of the pod spec as Berth writes it; the name of a pool's CloneSet ends with it. */
  hash: string;
  runtimeImage: string;
}

/**
 * Whether a pod was created from this template. Berth relies on what it has written itself: the name of the pool's CloneSet
 * if that still owns the pod, else the label if its value is well-formed. The runtime image decides last, by digest: a
 * webhook may have renamed it.
 */
function isOfTemplate({ metadata, spec }: Pod, { hash, runtimeImage }: PodTemplate): boolean {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller)?.name ?? "";
  const [, , made] = POOL_SET.exec(owner) ?? [];
  if (made !== undefined) return made === hash;
  const label = metadata.labels?.[LABEL.template];
  if (label !== undefined && HASH.test(label)) return label === hash;
  const image = spec.containers.find(({ name }) => name === RUNTIME_CONTAINER)?.image ?? "";
  return image === runtimeImage || (digestOf(image) !== "" && digestOf(image) === digestOf(runtimeImage));
}

/**
 * Whether a pod needs no replacement by one of its pool's present template. One of a runtime that this pool manager does not
 * offer is left as it is: another one may have created it, with an interpreter that this machine lacks.
 */
export function isCurrent(pod: Pod, pool: string, templates: ReadonlyMap<string, PodTemplate>): boolean {
  if (pool === "") return [...templates.values()].some((template) => isOfTemplate(pod, template));
  const template = templates.get(pool);
  return template === undefined || isOfTemplate(pod, template);
}

/** The name of a pool's CloneSet contains the template's hash: a new runtime version gets a new CloneSet, since a template must not change under claims. */
export function poolSetNameOf(pool: string, hash: string): string {
  return `pool-${pool}-${hash}`;
}

/** The pool in a CloneSet's name; null: it is not the name of a pool's CloneSet. */
export function poolNamedIn(setName: string): string | null {
  return POOL_SET.exec(setName)?.[1] ?? null;
}

function digestOf(image: string): string {
  return image.split("@")[1] ?? "";
}
