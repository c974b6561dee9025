import { changesOf, type JsonPatch } from "../../../kubernetes/json-patch.ts";
import type { CloneSet } from "../objects/objects.ts";
import { isObserved } from "./counts.ts";

const PATH = "/spec/updateStrategy";

/**
 * The update strategy of every CloneSet. `paused`: Kruise updates no pod, whatever happens to template or partition; Berth
 * patches pods one by one. Scaling, named deletions and the status counts are not affected. Without it one edit of a
 * function's template would restart all its instances at once. `maxUnavailable` also bounds named deletions while other
 * pods are not ready.
 */
export const UPDATE_STRATEGY = { type: "InPlaceOnly", maxUnavailable: "100%", maxSurge: 0, paused: true } as const;

/** Added to each write that changes a template: the CloneSet may be from an earlier version, or may have been unpaused by hand. */
export const PAUSE: JsonPatch = [{ op: "add", path: `${PATH}/paused`, value: true }];

/** The changes that restore `UPDATE_STRATEGY`. */
export function strategyChanges({ spec }: CloneSet): JsonPatch {
  return changesOf(UPDATE_STRATEGY, spec.updateStrategy ?? {}, PATH);
}

/** Whether Kruise's current revision, which it assigns to pods that are not updated, is not that of the present template. */
export function hasFormerTemplate(set: CloneSet): boolean {
  const { currentRevision, updateRevision } = set.status ?? {};
  return isObserved(set) && currentRevision !== undefined && currentRevision !== updateRevision;
}

/**
 * The partition of a pool's CloneSet. With 100 % Kruise creates pods from its current revision, so that an edited template
 * is not used before it is restored. If the current revision is itself an edited template, as after an edit of an empty
 * pool, 0 makes Kruise use the present template (`TemplateKeeper`), until both revisions are the same again.
 */
export function poolPartition(set: CloneSet): number | string {
  return hasFormerTemplate(set) && set.spec.updateStrategy?.partition === 0 ? 0 : "100%";
}

export function partitionChange({ spec }: CloneSet, partition: number | string): JsonPatch {
  return spec.updateStrategy?.partition === partition ? [] : [{ op: "add", path: `${PATH}/partition`, value: partition }];
}

/** The change that forbids Kruise to create pods: it may do so only while Berth requests some. */
export function noPods({ spec }: CloneSet): JsonPatch {
  return spec.scaleStrategy?.maxUnavailable === 0 ? [] : [{ op: "add", path: "/spec/scaleStrategy/maxUnavailable", value: 0 }];
}
