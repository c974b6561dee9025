import { expect, test } from "vitest";
import { startedPlatform } from "../../../../../kubernetes/berth/started-platform.ts";
import { KruiseCluster } from "../../../../../kubernetes/kruise-cluster.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

const NODE = "/api/v1/nodes/node-1";

/** Two instances run on a node, and a third has been placed there when the node stands still. */
function withPlacedPod(seed: number, body: (setting: Setting) => Promise<void>): Promise<void> {
  return VirtualTime.run(seed, async (time) => {
    const cluster = new KruiseCluster();
    const { platform, prewarmed, instances, grow, fill } = await startedPlatform(cluster);
    await fill(time, 2);
    const hosts = prewarmed().map(({ host }) => host);
    await grow(1);
    await time.reach(() => cluster.store.list("/pods").filter(({ spec }) => (spec as { nodeName?: string }).nodeName).length === 3, "a third is placed");
    cluster.kubelet.frozen = true;
    const third = () => instances().find(({ echo }) => echo === null);
    await body({ time, cluster, hosts, obstacle: () => third()?.obstacle ?? null, prewarmed: () => prewarmed().length });
    await platform.close();
  });
}

interface Setting {
  time: VirtualTime;
  cluster: KruiseCluster;
  /** Addresses of the two that run. */
  hosts: string[];
  /** The obstacle of the third instance. */
  obstacle(): { kind: string; message: string } | null;
  prewarmed(): number;
}

test("a pod on a node of which no instance answers is out of reach before Kubernetes notices, and comes when the node does", () =>
  withPlacedPod(1, async ({ time, cluster, hosts, obstacle, prewarmed }) => {
    const { network } = cluster.kubelet;
    for (const host of hosts) network.cut(host);
    await time.sleep(2000);
    expect(obstacle()?.kind).toBe("blocked");
    await time.sleep(4000);
    expect(obstacle()).toMatchObject({ kind: "unreachable", message: "none of the 2 instances on its node answers" });
    network.mend(hosts[0] ?? "");
    await time.reach(() => obstacle()?.kind === "blocked", "one of them answers again");
    for (const host of hosts) network.mend(host);
    cluster.kubelet.frozen = false;
    await time.reach(() => prewarmed() === 3, "all three serve");
  }));

test("a pod on a node that Kubernetes calls not ready, or that is deleted, is out of reach", () =>
  withPlacedPod(2, async ({ time, cluster, obstacle }) => {
    const tell = (status: string) =>
      cluster.at("PATCH", `${NODE}/status`, { status: { conditions: [{ type: "Ready", status, reason: "NodeStatusUnknown", message: "Kubelet stopped" }] } });
    tell("Unknown");
    await time.reach(() => obstacle()?.kind === "unreachable", "it is known");
    expect(obstacle()?.message).toBe("its node is not ready: NodeStatusUnknown: Kubelet stopped");
    tell("True");
    await time.reach(() => obstacle()?.kind === "blocked", "the node is back");
    cluster.at("DELETE", NODE);
    await time.reach(() => obstacle()?.kind === "unreachable", "the node is gone");
    expect(obstacle()?.message).toBe("its node was deleted");
  }));

test("instances leave a node that is tainted with NoExecute, and stay on one that Kubernetes only calls unreachable", () =>
  VirtualTime.run(3, async (time) => {
    const cluster = new KruiseCluster();
    const { platform, prewarmed, fill } = await startedPlatform(cluster);
    await fill(time, 1);
    const taint = (key: string, effect: string) => cluster.at("PATCH", NODE, { spec: { taints: [{ key, effect }] } });
    taint("node.kubernetes.io/unreachable", "NoExecute");
    await time.sleep(1000);
    expect(prewarmed()[0]?.replace).toBeNull();
    taint("maintenance", "NoSchedule");
    await time.sleep(1000);
    expect(prewarmed()[0]?.replace).toBeNull();
    taint("maintenance", "NoExecute");
    await time.reach(() => prewarmed()[0]?.replace === "node", "it is to be replaced");
    await platform.close();
  }));
