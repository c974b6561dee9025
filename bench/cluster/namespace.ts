import { randomBytes } from "node:crypto";
import { KubeClient } from "../../pool-manager/kubernetes/client.ts";
import type { KubeError } from "../../pool-manager/kubernetes/error.ts";
import { unprotect } from "../../pool-manager/platform/kruise/disruption/unprotect.ts";
import { until } from "../wait.ts";

/** How long a deletion may take, and how often it is checked. */
const GONE = { boundMs: 120_000, everyMs: 500 };

export function freshNamespace(): string {
  return `berth-bench-${randomBytes(4).toString("hex")}`;
}

/** Deletes a namespace, and waits until its pods have ended: they would compete with the next measurement. Rejects if the deletion takes too long. */
export async function deleteNamespace(namespace: string): Promise<void> {
  const kube = await KubeClient.connect(null, namespace);
  try {
    await unprotect(kube);
    await kube.delete(`/api/v1/namespaces/${namespace}`);
    const isGone = () =>
      kube.get(`/api/v1/namespaces/${namespace}`).then(
        () => false,
        (error: KubeError) => error.status === 404,
      );
    await until(isGone, `the namespace ${namespace} has ended`, GONE);
  } finally {
    kube.close();
  }
}
