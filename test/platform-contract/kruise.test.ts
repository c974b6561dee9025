import { afterEach, beforeEach } from "vitest";
import { MemoryCode } from "../kubernetes/berth/memory-code.ts";
import { MemoryRegistry } from "../kubernetes/berth/memory-registry.ts";
import { memoryPlatform, soleLead } from "../kubernetes/berth/platform.ts";
import { KruiseCluster } from "../kubernetes/kruise-cluster.ts";
import { VirtualTime } from "../kubernetes/virtual-time.ts";
import { platformContract } from "./contract.ts";

let time: VirtualTime;

beforeEach(() => {
  time = VirtualTime.begin(1);
  time.start();
});
afterEach(() => time.end());

platformContract("kruise in memory", async () => {
  const cluster = new KruiseCluster();
  const code = new MemoryCode();
  const prepared = code.add("f1");
  const platform = await memoryPlatform({ cluster, registry: new MemoryRegistry(), code, kube: cluster.connect("manager"), lead: soleLead() });
  return {
    platform,
    code: prepared.layer,
    prepared,
    kill: ({ uid }) => {
      const pod = cluster.store.list("/pods").find(({ metadata }) => metadata.uid === uid);
      cluster.at("DELETE", `/api/v1/namespaces/${cluster.namespace}/pods/${pod?.metadata.name}`, { gracePeriodSeconds: 0 });
    },
    print: async ({ uid }) => cluster.kubelet.instanceOf(uid)?.print("printed"),
  };
});
