import { graceOf } from "../controllers/pod-rules.ts";
import { type Kind, resourceOf, subjectOf } from "../objects/kinds.ts";
import { type ApiObject, type Fields, isFields, timestamp } from "../objects/object.ts";
import { deletionConflict } from "./api-error.ts";
import type { Store } from "./store.ts";

/** Throws 409 where a precondition of the deletion does not hold. */
export function checkPreconditions(kind: Kind, object: ApiObject, body: unknown): void {
  const { uid, resourceVersion } = ((isFields(body) && body.preconditions) || {}) as { uid?: string; resourceVersion?: string };
  const { metadata } = object;
  const of = subjectOf(kind, metadata.name);
  if (uid !== undefined && uid !== metadata.uid) {
    const why = `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`;
    throw deletionConflict(of, why);
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    const why = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`;
    throw deletionConflict(of, why);
  }
}

/**
 * Deletes an object, or begins to: a pod on a node is the kubelet's to end, what has finalizers stays until they are
 * taken away. Returns it as it is left, or as it was last.
 */
export function deleteObject(store: Store, kind: Kind, object: ApiObject, body: unknown): ApiObject {
  const resource = resourceOf(kind);
  const { namespace = null, name, finalizers = [] } = object.metadata;
  const { gracePeriodSeconds, propagationPolicy } = (isFields(body) ? body : {}) as Fields;
  const held =
    propagationPolicy === "Foreground" ? [...finalizers, "foregroundDeletion"] : propagationPolicy === "Orphan" ? [...finalizers, "orphan"] : finalizers;
  const grace = resource === "/pods" ? graceOf(object, gracePeriodSeconds) : 0;
  if (grace === 0 && held.length === 0) return store.remove(resource, namespace, name);
  const known = object.metadata.deletionGracePeriodSeconds ?? Number.POSITIVE_INFINITY;
  // Deleted already: only a shorter time changes anything.
  if (object.metadata.deletionTimestamp && grace >= known) return object;
  const metadata = {
    ...object.metadata,
    ...(held.length > 0 && { finalizers: [...new Set(held)] }),
    ...(object.metadata.generation !== undefined && { generation: object.metadata.generation + 1 }),
    deletionTimestamp: timestamp(Date.now() + grace * 1000),
    deletionGracePeriodSeconds: grace,
  };
  return store.put(resource, { ...object, metadata });
}

/** An object whose deletion waited for its last finalizer goes with it. */
export function settleDeletion(store: Store, kind: Kind, object: ApiObject): void {
  const { deletionTimestamp, finalizers = [], deletionGracePeriodSeconds = 0, namespace = null, name } = object.metadata;
  if (deletionTimestamp && finalizers.length === 0 && deletionGracePeriodSeconds === 0) store.remove(resourceOf(kind), namespace, name);
}
