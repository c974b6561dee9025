import type { KubeClient } from "../../../kubernetes/client.ts";
import type { KubeError } from "../../../kubernetes/error.ts";
import { CLONESETS, type CloneSet } from "../objects/objects.ts";
import { isBerthsSet } from "../objects/pod-owner.ts";
import { DELETE_PROTECTION } from "./budgets.ts";

/**
 * Removes the deletion protection from every CloneSet of Berth in the namespace and returns their names. Kruise refuses to
 * delete protected CloneSets with replicas, so a deleted namespace would stay Terminating for ever. CloneSets that a pool
 * manager creates afterwards are protected again. If one cannot be changed, the others still are, and then it rejects with
 * the `KubeError`.
 */
export async function unprotect(kube: KubeClient): Promise<string[]> {
  const path = `${CLONESETS}/namespaces/${kube.namespace}/clonesets`;
  // No label selector: labels may have been removed by hand.
  const { items } = await kube.get<{ items: CloneSet[] }>(path);
  const metadata = { labels: Object.fromEntries(Object.keys(DELETE_PROTECTION).map((label) => [label, null])) };
  const names: string[] = [];
  const failures: KubeError[] = [];
  for (const { metadata: of } of items.filter(isBerthsSet)) {
    await kube.patch(`${path}/${of.name}`, "merge", { metadata }).then(
      () => names.push(of.name),
      (error: KubeError) => error.status !== 404 && failures.push(error),
    );
  }
  if (failures[0]) throw failures[0];
  return names;
}
