import type { KubeClient } from "../../../kubernetes/client.ts";
import { PersistentWrite } from "../../../kubernetes/persistent-write.ts";
import { LABEL } from "../objects/objects.ts";

/** Kruise refuses to delete a CloneSet with this label while it has replicas. */
export const DELETE_PROTECTION = { "policy.kruise.io/delete-protection": "Cascading" };

const BUDGET = "berth-instances";
/** The label on pods that names their budget. Kruise sets it on pods that match at creation; Berth's match only once they are claimed. */
export const PROTECTED = { "kruise.io/related-pub": BUDGET };

interface Budget {
  apiVersion: string;
  kind: string;
  annotations: Record<string, string>;
  spec: object;
}

const BUDGETS: readonly Budget[] = [
  // Only deletions: Berth's own in-place swaps leave the runtime serving.
  { apiVersion: "policy.kruise.io/v1alpha1", kind: "PodUnavailableBudget", annotations: { "kruise.io/pub-protect-operations": "DELETE" }, spec: {} },
  // Kruise refuses an eviction with 403, which ends `kubectl drain`; Kubernetes with 429, which it retries.
  { apiVersion: "policy/v1", kind: "PodDisruptionBudget", annotations: {}, spec: { unhealthyPodEvictionPolicy: "AlwaysAllow" } },
];

/**
 * Keeps the budgets that protect functions' pods from others: a deletion or eviction is refused if too few pods would stay
 * available. Berth's own removals have a budget of their own. If the cluster refuses these objects, functions run without
 * them. The budgets state an absolute number: a percentage would refer to `replicas`, which shrinks with each loss, and
 * which Kubernetes reads only when a pod changes.
 */
export class DisruptionBudgets {
  readonly #kube: Pick<KubeClient, "namespace" | "patch">;
  readonly #onTrouble: (kind: string, message: string | null) => void;
  #required: number | null = null;
  #writes: readonly PersistentWrite[] = [];

  /** `onTrouble` is called once with the kind of a budget that cannot be written and the reason, and with null once it is written. */
  constructor(kube: Pick<KubeClient, "namespace" | "patch">, onTrouble: (kind: string, message: string | null) => void) {
    this.#kube = kube;
    this.#onTrouble = onTrouble;
  }

  /** Sets how many of the functions' pods must stay available. */
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
