import type { Kind } from "../objects/kinds.ts";
import { type ApiObject, type Fields, isFields, valueAt } from "../objects/object.ts";
import { badRequest } from "./api-error.ts";

/** The scale subresource of an object. */
export function scaleOf({ metadata, ...object }: ApiObject, { scale }: Kind): object {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  const replicas = valueAt(object, scale?.specReplicas ?? []);
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    // A zero is left out.
    spec: replicas ? { replicas } : {},
    status: { replicas: valueAt(object, scale?.statusReplicas ?? []) ?? 0 },
  };
}

/** The object with the replicas that a written Scale names. */
export function withScale(object: ApiObject, { scale }: Kind, written: unknown): ApiObject {
  const replicas = valueAt(written, ["spec", "replicas"]);
  if (typeof replicas !== "number") throw badRequest("spec.replicas: a number is expected");
  const [field = "", name = ""] = scale?.specReplicas ?? [];
  const { resourceVersion } = ((isFields(written) && written.metadata) || {}) as { resourceVersion?: string };
  const metadata = { ...object.metadata, ...(resourceVersion && { resourceVersion }) };
  return { ...object, metadata, [field]: { ...(object[field] as Fields), [name]: replicas } };
}
