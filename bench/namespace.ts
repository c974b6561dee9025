import { randomBytes } from "node:crypto";
import { Kube } from "../pool-manager/platform/kruise/kube.ts";
import type { KubeError } from "../pool-manager/platform/kruise/kube-error.ts";

export function freshNamespace(): string {
  return `berth-bench-${randomBytes(4).toString("hex")}`;
}

/** Deletes it, and waits until its pods have ended: they would compete with what is measured next. */
export async function deleteNamespace(namespace: string): Promise<void> {
  const kube = await Kube.connect(null, namespace);
  try {
    await kube.delete(`/api/v1/namespaces/${namespace}`);
    for (let i = 0; i < 240; i++) {
      const gone = await kube.get(`/api/v1/namespaces/${namespace}`).then(
        () => false,
        (error: KubeError) => error.status === 404,
      );
      if (gone) return;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  } finally {
    kube.close();
  }
}
