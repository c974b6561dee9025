import { expect, test } from "vitest";
import { KruiseCluster } from "../kubernetes/kruise-cluster.ts";
import { MemoryCode } from "../kubernetes/memory-code.ts";
import { MemoryRegistry } from "../kubernetes/memory-registry.ts";
import { memoryPlatform, soleLead } from "../kubernetes/platform.ts";
import { VirtualTime } from "../kubernetes/virtual-time.ts";

const POOL = { name: "node", runtime: "node", max: 5 };

test("a pod is moved into a function's CloneSet only when Kruise has seen that there is room for it, however late that is", () =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    const code = new MemoryCode();
    const platform = await memoryPlatform({ cluster, registry: new MemoryRegistry(), code, lead: soleLead(), kube: cluster.connect("manager") });
    await platform.start();
    platform.prepareCode([code.add("f1")]);
    await platform.scalePool(POOL, { seen: new Set(), more: 1 });
    const prewarmed = () => [...platform.observe().instances.values()].filter(({ echo }) => echo?.state === "prewarmed");
    await time.reach(() => prewarmed().length === 1, "one is prewarmed");
    const { uid = "" } = prewarmed()[0] ?? {};
    cluster.kruise.setsLagMs = 700;
    const { resourceVersion = "" } = platform.observe().instances.get(uid) ?? {};
    await platform.bind({ uid, resourceVersion }, { functionUid: "f1", revision: "r1" });
    await time.sleep(5000);
    expect(cluster.store.list("/pods").map(({ metadata }) => [metadata.uid, metadata.deletionTimestamp])).toEqual([[uid, undefined]]);
    await platform.close();
  }));
