import { expect, test } from "vitest";
import { kubernetesConformance } from "../../kubernetes/conformance.ts";
import { SERVICE_CIDR } from "../machine/layout.ts";
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

test("a Service's address that is nobody's refuses connections: they do not leave this machine", async () => {
  const address = SERVICE_CIDR.replace(/0\/.+$/, "250");
  const refused = await fetch(`http://${address}`, { signal: AbortSignal.timeout(10_000) }).catch((error: Error) => error.cause);
  expect(refused).toMatchObject({ code: "ECONNREFUSED" });
});
