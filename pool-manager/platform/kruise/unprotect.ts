import type { Kube } from "./kube.ts";
import { CLONESETS, type CloneSet, LABEL } from "./objects.ts";
import { DELETE_PROTECTION } from "./protection.ts";

/**
 * Takes the protection from every CloneSet of the namespace, so that whoever removes the namespace can: Kruise refuses
 * to delete those with replicas, and the namespace would be terminating for ever. Returns their names. CloneSets that a
 * pool manager makes afterwards are protected again. Rejects with a `KubeError`.
 */
export async function unprotect(kube: Kube): Promise<string[]> {
  const path = `${CLONESETS}/namespaces/${kube.namespace}/clonesets`;
  const { items } = await kube.get<{ items: CloneSet[] }>(path, { labelSelector: LABEL.pool });
  const names = items.map(({ metadata }) => metadata.name);
  const metadata = { labels: Object.fromEntries(Object.keys(DELETE_PROTECTION).map((label) => [label, null])) };
  for (const name of names) await kube.patch(`${path}/${name}`, "merge", { metadata });
  return names;
}
