import type { KubeClient } from "../../../kubernetes/client.ts";
import type { KubeError } from "../../../kubernetes/error.ts";
import { CLONESETS, type CloneSet } from "../objects/objects.ts";
import { isBerthsSet } from "../objects/pod-owner.ts";
import { DELETE_PROTECTION } from "./budgets.ts";

/**
 * Takes the protection from every CloneSet of Berth's in the namespace, so that whoever removes the namespace can: Kruise
 * refuses to delete those with replicas, and the namespace would be terminating for ever. Returns their names. CloneSets
 * that a pool manager makes afterwards are protected again. One that cannot be changed holds up no other; then it rejects
 * with its `KubeError`.
 */
export async function unprotect(kube: KubeClient): Promise<string[]> {
  const path = `${CLONESETS}/namespaces/${kube.namespace}/clonesets`;
  // Somebody may have taken their labels away, so that no selector would find them.
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
