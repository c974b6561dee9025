import { KeptWrite } from "./kept-write.ts";
import type { Kube } from "./kube.ts";
import { LABEL } from "./objects.ts";

/** Kruise refuses to delete a CloneSet with this label while it has replicas. */
export const DELETE_PROTECTION = { "policy.kruise.io/delete-protection": "Cascading" };

const BUDGET = "berth-instances";
/** On pods: the budget that they count for. Kruise sets it on pods that match when they are made; ours match when they are claimed. */
export const PROTECTED = { "kruise.io/related-pub": BUDGET };

/** Functions' instances that others may make unavailable at once (deletions, evictions); at least one. */
const MAX_UNAVAILABLE = "20%";

/**
 * Keeps budgets for everybody else: whoever deletes or evicts our pods is refused beyond them; what Berth itself removes
 * has a budget of its own. Functions do without them for as long as the cluster refuses them: `onTrouble` is told once
 * of which, and null when it is there. Returns what ends it.
 */
export function protectInstances(kube: Pick<Kube, "namespace" | "patch">, onTrouble: (kind: string, message: string | null) => void): () => void {
  const spec = { selector: { matchExpressions: [{ key: LABEL.function, operator: "Exists" }] }, maxUnavailable: MAX_UNAVAILABLE };
  const keep = (apiVersion: string, kind: string, annotations: Record<string, string>, budget: object) =>
    new KeptWrite(
      () => apply(kube, { apiVersion, kind, metadata: { name: BUDGET, annotations }, spec: budget }),
      (message) => onTrouble(kind, message),
    );
  const kept = [
    // Not our own swaps, which leave the runtime serving. Pools' pods have a `replicas` that claims leave too high: Kruise would count those as unavailable.
    keep("policy.kruise.io/v1alpha1", "PodUnavailableBudget", { "kruise.io/pub-protect-operations": "DELETE" }, spec),
    // Kruise refuses an eviction with 403, which ends a drain; Kubernetes with 429, on which it waits and tries again.
    keep("policy/v1", "PodDisruptionBudget", {}, { ...spec, unhealthyPodEvictionPolicy: "AlwaysAllow" }),
  ];
  return () => {
    for (const write of kept) write.close();
  };
}

async function apply(kube: Pick<Kube, "namespace" | "patch">, budget: { apiVersion: string; kind: string; metadata: object; spec: object }): Promise<void> {
  const path = `/apis/${budget.apiVersion}/namespaces/${kube.namespace}/${budget.kind.toLowerCase()}s/${BUDGET}`;
  await kube.patch(path, "apply", budget, "other", { fieldManager: "berth", force: "true" });
}
