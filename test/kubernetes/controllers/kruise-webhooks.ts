import { isDeepStrictEqual } from "node:util";
import type { CloneSet } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import type { Admitted } from "../api/admission.ts";
import { ApiError, forbidden, internalError } from "../api/api-error.ts";
import type { MemoryCluster } from "../cluster.ts";
import { resourceOf, subjectOf } from "../objects/kinds.ts";
import { type ApiObject, valueAt } from "../objects/object.ts";
import type { CloneSetObject } from "./cloneset-plan.ts";
import { isReady } from "./cloneset-plan.ts";

const PROTECTION = "policy.kruise.io/delete-protection";
const BUDGET_OF = "kruise.io/related-pub";
const NO_BUDGET = "pod.kruise.io/pub-no-protect";
/** Writes that pass Kruise's webhooks, and fail with them. */
const THROUGH_KRUISE = /\/(pods|clonesets|podunavailablebudgets)(\/[^/]+)?$/;
/** The API server waits so long for a webhook that does not answer. */
const WEBHOOK_MS = 10_000;

/** Refusals of Kruise's webhooks: unknown names in `podsToDelete`, deletions of protected objects, and of pods beyond their budget. */
export function installKruiseWebhooks({ api, store }: MemoryCluster): void {
  api.admission.check((write) => {
    const resource = resourceOf(write.kind);
    if (write.subresource) return;
    if (resource === "apps.kruise.io/clonesets") {
      if (write.operation === "DELETE") checkProtection(write);
      else {
        checkInPlaceOnly(write);
        checkPodsToDelete(write, (name) => store.get("/pods", write.namespace, name) !== undefined);
      }
    }
    if (resource === "/pods" && write.operation === "DELETE" && write.client !== "kruise-manager")
      checkBudget(write, store.list("/pods", write.namespace), store);
  });
}

/** Kruise's manager is down, or hangs: writes that its webhooks would see fail. Returns its return. */
export function stopKruise({ faults }: MemoryCluster, how: "down" | "hung"): () => void {
  const message = `failed calling webhook "mpod.kb.io": failed to call webhook: Post "https://kruise-webhook-service": ${how === "down" ? "connect: connection refused" : "context deadline exceeded"}`;
  const ends = ["POST", "PUT", "PATCH", "DELETE"].flatMap((method) => [
    ...(how === "hung" ? [faults.add({ method, path: THROUGH_KRUISE }, { kind: "slow", ms: WEBHOOK_MS })] : []),
    faults.add({ method, path: THROUGH_KRUISE }, { kind: "refuse", error: internalError(message) }),
  ]);
  return () => {
    for (const end of ends) end();
  };
}

function checkProtection({ before, kind, name }: Admitted): void {
  const label = before?.metadata.labels?.[PROTECTION];
  const replicas = (valueAt(before, ["spec", "replicas"]) ?? 0) as number;
  if (label === "Always" || (label === "Cascading" && replicas > 0)) {
    throw forbidden(subjectOf(kind, name), `forbidden by ResourcesProtectionDeletion for label ${PROTECTION}=${label}, and replicas ${replicas}>0`);
  }
}

/** Measured with OpenKruise 1.9.1: the rule is about the new object's type, and labels of the template are not part of it. */
function checkInPlaceOnly({ object, before }: Admitted): void {
  const [set, former] = [object, before] as unknown as (CloneSet | null)[];
  if (!set || !former || set.spec.updateStrategy?.type !== "InPlaceOnly") return;
  const other = ({ spec }: CloneSet) => ({ ...spec.template.spec, containers: spec.template.spec.containers.map((one) => ({ ...one, image: "" })) });
  if (isDeepStrictEqual(other(set), other(former))) return;
  const why = "spec: Forbidden: only allowed to update images in spec for InPlaceOnly, but found another change";
  throw new ApiError(422, "Invalid", `admission webhook "vcloneset.kb.io" denied the request: ${why}`);
}

function checkPodsToDelete({ object, before }: Admitted, exists: (name: string) => boolean): void {
  const namesOf = (set: ApiObject | null) => (set as CloneSetObject | null)?.spec.scaleStrategy?.podsToDelete ?? [];
  const known = new Set(namesOf(before));
  const unknown = namesOf(object).find((name) => !known.has(name) && !exists(name));
  if (unknown === undefined) return;
  const why = `spec.scaleStrategy.podsToDelete[0]: Invalid value: "${unknown}": find pod ${unknown} failed: Pod "${unknown}" not found`;
  throw new ApiError(422, "Invalid", `admission webhook "vcloneset.kb.io" denied the request: ${why}`);
}

/** Pods that count for a PodUnavailableBudget may be unavailable only so many at once. */
function checkBudget({ before, namespace, kind, name }: Admitted, pods: readonly ApiObject[], store: MemoryCluster["store"]): void {
  const { annotations = {}, deletionTimestamp } = before?.metadata ?? {};
  const budgetName = annotations[BUDGET_OF];
  const budget = budgetName ? store.get("policy.kruise.io/podunavailablebudgets", namespace, budgetName) : undefined;
  if (!before || !budget || deletionTimestamp || annotations[NO_BUDGET] === "true" || !isReady(before)) return;
  const counted = pods.filter(({ metadata }) => metadata.annotations?.[BUDGET_OF] === budgetName);
  const available = counted.filter((pod) => !pod.metadata.deletionTimestamp && isReady(pod)).length;
  if (available <= (valueAt(budget, ["spec", "minAvailable"]) as number)) throw forbidden(subjectOf(kind, name), "pub unavailable allowed is negative");
}
