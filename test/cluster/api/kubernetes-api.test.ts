import { kubernetesConformance } from "../../kubernetes/conformance.ts";
import { ClusterView } from "../subject/cluster-view.ts";
import { deleteNamespace, freshNamespace } from "../subject/subject.ts";

// The API in memory is as good as this suite passes on both.
kubernetesConformance("of this cluster", async () => {
  const { kube } = await ClusterView.open(freshNamespace());
  await kube.create("/api/v1/namespaces", { metadata: { name: kube.namespace } });
  return {
    kube,
    close: async () => {
      kube.close();
      await deleteNamespace(kube.namespace);
    },
  };
});
