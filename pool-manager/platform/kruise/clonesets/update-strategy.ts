import { changesOf, type JsonPatch } from "../../../kubernetes/json-patch.ts";
import type { CloneSet } from "../objects/objects.ts";
import { isObserved } from "./counts.ts";

const PATH = "/spec/updateStrategy";

/**
 * Paused: Kruise itself updates no pod, whatever becomes of the template or the partition; Berth patches pods one by one.
 * Scaling, named deletions and the counts in the status go on as ever. Without a pause one edit of a function's template
 * restarts all its instances at once. `maxUnavailable` bounds named deletions too, where other pods are not ready.
 */
export const UPDATE_STRATEGY = { type: "InPlaceOnly", maxUnavailable: "100%", maxSurge: 0, paused: true } as const;

/** Part of each write that changes a template: the set may have been made by an earlier version, or somebody has let it go on. */
export const PAUSE: JsonPatch = [{ op: "add", path: `${PATH}/paused`, value: true }];

/** What is wrong with how a CloneSet updates. */
export function strategyChanges({ spec }: CloneSet): JsonPatch {
  return changesOf(UPDATE_STRATEGY, spec.updateStrategy ?? {}, PATH);
}

/** Kruise counts another template than the present one as that of the pods that are not updated yet. */
export function hasFormerTemplate(set: CloneSet): boolean {
  const { currentRevision, updateRevision } = set.status ?? {};
  return isObserved(set) && currentRevision !== undefined && currentRevision !== updateRevision;
}

/**
 * The partition of a pool's CloneSet. With 100 % Kruise makes new pods of the template that it counts the present ones for, so
 * that an edit, until it is put back, makes none. Where it counts them for an edited one, as it does when somebody has edited
 * an empty pool, 0 has it make them of the template as it is (`TemplateKeeper`), until both are the same again.
 */
export function poolPartition(set: CloneSet): number | string {
  return hasFormerTemplate(set) && set.spec.updateStrategy?.partition === 0 ? 0 : "100%";
}

export function partitionChange({ spec }: CloneSet, partition: number | string): JsonPatch {
  return spec.updateStrategy?.partition === partition ? [] : [{ op: "add", path: `${PATH}/partition`, value: partition }];
}

/** Kruise creates pods only while they are asked for: what is to be written where it may. */
export function noPods({ spec }: CloneSet): JsonPatch {
  return spec.scaleStrategy?.maxUnavailable === 0 ? [] : [{ op: "add", path: "/spec/scaleStrategy/maxUnavailable", value: 0 }];
}
