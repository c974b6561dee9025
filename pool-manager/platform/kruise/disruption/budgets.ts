import type { KubeClient } from "../../../kubernetes/client.ts";
import { PersistentWrite } from "../../../kubernetes/persistent-write.ts";
import { LABEL } from "../objects/objects.ts";

/** Kruise refuses to delete a CloneSet with this label while it has replicas. */
export const DELETE_PROTECTION = { "policy.kruise.io/delete-protection": "Cascading" };

const BUDGET = "berth-instances";
/** On pods: the budget that they count for. Kruise sets it on pods that match when they are made; ours match when they are claimed. */
export const PROTECTED = { "kruise.io/related-pub": BUDGET };

interface Budget {
  apiVersion: string;
  kind: string;
  annotations: Record<string, string>;
  spec: object;
}

const BUDGETS: readonly Budget[] = [
  // Not our own swaps, which leave the runtime serving.
  { apiVersion: "policy.kruise.io/v1alpha1", kind: "PodUnavailableBudget", annotations: { "kruise.io/pub-protect-operations": "DELETE" }, spec: {} },
  // Kruise refuses an eviction with 403, which ends a drain; Kubernetes with 429, on which it waits and tries again.
  { apiVersion: "policy/v1", kind: "PodDisruptionBudget", annotations: {}, spec: { unhealthyPodEvictionPolicy: "AlwaysAllow" } },
];

/**
 * Budgets for everybody else: whoever deletes or evicts functions' pods is refused where fewer would be available than
 * have to stay; what Berth itself removes has a budget of its own. Functions do without them for as long as the cluster
 * refuses them. They say a number: a share would be one of `replicas`, which follow what was lost, and which Kubernetes
 * reads only when some pod changes.
 */
export class DisruptionBudgets {
  readonly #kube: Pick<KubeClient, "namespace" | "patch">;
  readonly #onTrouble: (kind: string, message: string | null) => void;
  #required: number | null = null;
  #writes: readonly PersistentWrite[] = [];

  /** `onTrouble` is told once of a budget that is not there, by its kind, and null when it is. */
  constructor(kube: Pick<KubeClient, "namespace" | "patch">, onTrouble: (kind: string, message: string | null) => void) {
    this.#kube = kube;
    this.#onTrouble = onTrouble;
  }

  /** So many of the functions' pods have to stay available from now on. */
  require(pods: number): void {
    if (pods === this.#required) return;
    this.#required = pods;
    if (this.#writes.length > 0) for (const write of this.#writes) write.rewrite();
    else
      this.#writes = BUDGETS.map(
        (budget) =>
          new PersistentWrite(
            () => this.#apply(budget),
            (message) => this.#onTrouble(budget.kind, message),
          ),
      );
  }

  close(): void {
    for (const write of this.#writes) write.close();
  }

  async #apply({ apiVersion, kind, annotations, spec }: Budget): Promise<void> {
    const path = `/apis/${apiVersion}/namespaces/${this.#kube.namespace}/${kind.toLowerCase()}s/${BUDGET}`;
    const selector = { matchExpressions: [{ key: LABEL.function, operator: "Exists" }] };
    const manifest = { apiVersion, kind, metadata: { name: BUDGET, annotations }, spec: { ...spec, selector, minAvailable: this.#required } };
    await this.#kube.patch(path, "apply", manifest, "other", { fieldManager: "berth", force: "true" });
  }
}
