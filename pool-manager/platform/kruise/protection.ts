import type { Kube } from "./kube.ts";
import { LABEL } from "./objects.ts";

/** Kruise refuses to delete a CloneSet with this label while it has replicas. */
export const DELETE_PROTECTION = { "policy.kruise.io/delete-protection": "Cascading" };

const BUDGET = "berth-instances";
/** On pods: the budget that they count for. Kruise sets it on pods that match when they are made; ours match when they are claimed. */
export const PROTECTED = { "kruise.io/related-pub": BUDGET };

/** Functions' instances that others may make unavailable at once (deletions, evictions); at least one. */
const MAX_UNAVAILABLE = "20%";

/** Budgets for everybody else: whoever deletes or evicts our pods is refused beyond them; what Berth itself removes has a budget of its own. */
export async function protectInstances(kube: Kube): Promise<void> {
  const spec = { selector: { matchExpressions: [{ key: LABEL.function, operator: "Exists" }] }, maxUnavailable: MAX_UNAVAILABLE };
  await Promise.all([
    // Not our own swaps, which leave the runtime serving. Pools' pods have a `replicas` that claims leave too high: Kruise would count those as unavailable.
    apply(kube, "policy.kruise.io/v1alpha1", "PodUnavailableBudget", { "kruise.io/pub-protect-operations": "DELETE" }, spec),
    // Kruise refuses an eviction with 403, which ends a drain; Kubernetes with 429, on which it waits and tries again.
    apply(kube, "policy/v1", "PodDisruptionBudget", {}, { ...spec, unhealthyPodEvictionPolicy: "AlwaysAllow" }),
  ]);
}

async function apply(kube: Kube, apiVersion: string, kind: string, annotations: Record<string, string>, spec: object): Promise<void> {
  const path = `/apis/${apiVersion}/namespaces/${kube.namespace}/${kind.toLowerCase()}s/${BUDGET}`;
  await kube.patch(path, "apply", { apiVersion, kind, metadata: { name: BUDGET, annotations }, spec }, "other", { fieldManager: "berth", force: "true" });
}
