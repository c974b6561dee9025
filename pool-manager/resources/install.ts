import type { Kube } from "../platform/kruise/kube.ts";
import { KubeError } from "../platform/kruise/kube-error.ts";
import { definitions, RESOURCES } from "./crds.ts";

const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const SERVED_MS = 15_000;

/**
 * Brings the cluster's CustomResourceDefinitions to this version, where this user may; else they must be there already.
 * Throws `KubeError` where they are not.
 */
export async function installDefinitions(kube: Kube): Promise<void> {
  for (const definition of definitions() as { metadata: { name: string } }[]) {
    const path = `${DEFINITIONS}/${definition.metadata.name}`;
    await kube.patch(path, "apply", definition, "other", { fieldManager: "berth", force: "true" }).catch((error: KubeError) => {
      if (error.status !== 403) throw error;
    });
  }
  for (const plural of ["functions", "pools"]) await served(kube, plural);
}

async function served(kube: Kube, plural: string): Promise<void> {
  for (const deadline = Date.now() + SERVED_MS; ; ) {
    try {
      await kube.get(`${RESOURCES}/namespaces/${kube.namespace}/${plural}`, { limit: "1" });
      return;
    } catch (error) {
      if ((error as KubeError).status !== 404) throw error;
      if (Date.now() > deadline) {
        throw new KubeError(
          404,
          "NoDefinition",
          `the cluster does not know ${plural}.berth.dev: kubectl apply --server-side -f deploy/chart/crds, as an administrator`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
