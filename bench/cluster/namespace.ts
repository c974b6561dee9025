import { randomBytes } from "node:crypto";
import { KubeClient } from "../../pool-manager/kubernetes/client.ts";
import type { KubeError } from "../../pool-manager/kubernetes/error.ts";
import { unprotect } from "../../pool-manager/platform/kruise/disruption/unprotect.ts";

/** How long a deletion may take. */
const GONE_MS = 120_000;
const CHECK_INTERVAL_MS = 500;

export function freshNamespace(): string {
  return `berth-bench-${randomBytes(4).toString("hex")}`;
}

/** Deletes a namespace, and waits until its pods have ended: they would compete with the next measurement. Rejects if the deletion takes too long. */
export async function deleteNamespace(namespace: string): Promise<void> {
  const kube = await KubeClient.connect(null, namespace);
  try {
    await unprotect(kube);
    await kube.delete(`/api/v1/namespaces/${namespace}`);
    for (const deadline = Date.now() + GONE_MS; Date.now() < deadline; ) {
      const gone = await kube.get(`/api/v1/namespaces/${namespace}`).then(
        () => false,
        (error: KubeError) => error.status === 404,
      );
      if (gone) return;
      await new Promise((resolve) => setTimeout(resolve, CHECK_INTERVAL_MS));
    }
    throw new Error(`namespace ${namespace} is still terminating after ${GONE_MS / 1000} s`);
  } finally {
    kube.close();
  }
}
