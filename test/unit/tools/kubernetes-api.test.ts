import { MemoryCluster } from "../../kubernetes/cluster.ts";
import { kubernetesConformance } from "../../kubernetes/conformance.ts";
import { VirtualTime } from "../../kubernetes/virtual-time.ts";

kubernetesConformance("in memory", async () => {
  const time = VirtualTime.begin(1);
  time.start();
  const cluster = new MemoryCluster();
  cluster.store.compact();
  return { kube: cluster.connect("berth"), close: async () => time.end() };
});
