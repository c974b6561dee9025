import { afterAll } from "vitest";
import { packLayer } from "../../../pool-manager/images/layer.ts";
import { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import type { Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { platformContract } from "../../platform-contract/contract.ts";
import { clusterConfig, connect, deleteNamespace, freshNamespace, MemoryImages } from "../subject/subject.ts";

const CODE = "export default { fetch() { console.log('printed'); return new Response('ok'); } };";
const namespaces: string[] = [];

afterAll(async () => {
  await Promise.all(namespaces.map(deleteNamespace));
});

platformContract("kruise", async () => {
  const namespace = freshNamespace();
  namespaces.push(namespace);
  const images = new MemoryImages();
  const code = await packLayer([{ path: "index.mjs", data: new TextEncoder().encode(CODE) }], "function/");
  const { platform } = await connect(clusterConfig(namespace), images);
  return {
    platform,
    code,
    prepared: await images.add("f1", code),
    kill: ({ uid }) => void deletePod(namespace, uid),
    print: async ({ host, echo, key }) => {
      const headers = { "x-berth-function": "f1", "x-berth-revision": "r1", "x-berth-key": key ?? "" };
      await (await fetch(`http://${host}:${echo?.port}/`, { headers })).text();
    },
  };
});

/** The node's own way of ending a pod at once. */
async function deletePod(namespace: string, uid: string): Promise<void> {
  const kube = await KubeClient.connect(clusterConfig(namespace).kubeconfig, namespace);
  const { items } = await kube.get<{ items: Pod[] }>(`/api/v1/namespaces/${namespace}/pods`);
  const name = items.find(({ metadata }) => metadata.uid === uid)?.metadata.name;
  await kube.patch(`/api/v1/namespaces/${namespace}/pods/${name}`, "merge", { metadata: { annotations: { "pod.kruise.io/pub-no-protect": "true" } } });
  await kube.delete(`/api/v1/namespaces/${namespace}/pods/${name}`, { gracePeriodSeconds: 0 });
  kube.close();
}
