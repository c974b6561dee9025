import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
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

/** No packet gets to its pods, or comes from them. */
const CUT = [
  ["OUTPUT", "-d", SECOND_NODE.podCidr, "-j", "DROP"],
  ["INPUT", "-s", SECOND_NODE.podCidr, "-j", "DROP"],
];

/** The node falls silent, as a machine without power: nothing says that its pods are gone. */
export async function loseSecondNode(): Promise<void> {
  for (const rule of CUT) execFileSync("iptables", ["-w", "-I", ...rule]);
  for (const { name } of [kruiseDaemon, kubelet]) await stop(name);
  killContainers(SECOND_NODE);
}

/** The machine has power again: what ran on it is gone, and its kubelet starts what it is still to run. */
export async function returnSecondNode(): Promise<void> {
  for (const rule of CUT) execFileSync("iptables", ["-w", "-D", ...rule]);
  for (const daemon of [kubelet, kruiseDaemon]) {
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
  const kube = await KubeClient.connect(KUBECONFIG, "default");
  await kube.delete(`/api/v1/nodes/${SECOND_NODE.name}`).catch(() => {});
  kube.close();
}
