import { existsSync } from "node:fs";
import { Kube } from "../../pool-manager/platform/kruise/kube.ts";
import { addNode, removeNode } from "./configs.ts";
import { killContainers } from "./containers.ts";
import { nodeDaemons } from "./daemons.ts";
import { KUBECONFIG, SECOND_NODE } from "./layout.ts";
import { pidOf, settled, start, stop } from "./processes.ts";

const { containerd, kubelet, kruiseDaemon } = nodeDaemons(SECOND_NODE);

/** Another node beside the one of `npm run cluster:up`: a container runtime, kubelet, kruise-daemon and network of its own. */
export async function startSecondNode(): Promise<void> {
  addNode(SECOND_NODE);
  for (const daemon of [containerd, kubelet, kruiseDaemon]) {
    start(daemon);
    await settled(daemon);
  }
}

/** Stops it by pid, and takes it out of the cluster where that still answers. */
export async function stopSecondNode(): Promise<void> {
  if (!existsSync(KUBECONFIG)) return;
  const ran = pidOf(kubelet.name) !== null;
  for (const { name } of [kruiseDaemon, kubelet]) await stop(name);
  killContainers(SECOND_NODE);
  await stop(containerd.name);
  removeNode(SECOND_NODE);
  if (!ran) return;
  const kube = await Kube.connect(KUBECONFIG, "default");
  await kube.delete(`/api/v1/nodes/${SECOND_NODE.name}`).catch(() => {});
  kube.close();
}
