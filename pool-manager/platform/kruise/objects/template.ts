import { LABEL, type Pod, RUNTIME_CONTAINER } from "./objects.ts";

/** As `poolSetNameOf` writes it, with the pool's name and the hash. */
const POOL_SET = /^pool-(.+)-([0-9a-f]{8})$/;
const HASH = /^[0-9a-f]{8}$/;

/** What a pool's pods are made of now. */
export interface PodTemplate {
  /** Hash of the pods' spec as Berth wrote it; the name of a pool's CloneSet ends with it. */
  hash: string;
  runtimeImage: string;
}

/**
 * Whether a pod was made of this template. Berth goes by what it has written itself: the pool's CloneSet that still owns
 * the pod, else a label, where nobody has put something else in its place. The image comes last, and by digest: a webhook
 * may have given it another name.
 */
export function isOfTemplate({ metadata, spec }: Pod, { hash, runtimeImage }: PodTemplate): boolean {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller)?.name ?? "";
  const [, , made] = POOL_SET.exec(owner) ?? [];
  if (made !== undefined) return made === hash;
  const label = metadata.labels?.[LABEL.template];
  if (label !== undefined && HASH.test(label)) return label === hash;
  const image = spec.containers.find(({ name }) => name === RUNTIME_CONTAINER)?.image ?? "";
  return image === runtimeImage || (digestOf(image) !== "" && digestOf(image) === digestOf(runtimeImage));
}

/** The name tells the template: a new runtime version is a new CloneSet, since a template must not change under claims. */
export function poolSetNameOf(pool: string, hash: string): string {
  return `pool-${pool}-${hash}`;
}

/** The pool that a CloneSet of this name is of; null: it is no pool's. */
export function poolNamedIn(setName: string): string | null {
  return POOL_SET.exec(setName)?.[1] ?? null;
}

function digestOf(image: string): string {
  return image.split("@")[1] ?? "";
}
