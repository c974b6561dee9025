import { expect, test } from "vitest";
import { MemoryCode } from "../../../../../kubernetes/berth/memory-code.ts";
import { MemoryRegistry } from "../../../../../kubernetes/berth/memory-registry.ts";
import { memoryPlatform, soleLead } from "../../../../../kubernetes/berth/platform.ts";
import { KruiseCluster } from "../../../../../kubernetes/kruise-cluster.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

const POOL = { name: "node", runtime: "node", max: 3 };

test("a pod that has ended is deleted by itself, and does not come back with the answer to its deletion", () =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    const options = { cluster, registry: new MemoryRegistry(), code: new MemoryCode(), lead: soleLead() };
    const platform = await memoryPlatform({ ...options, kube: cluster.connect("manager") });
    await platform.start();
    await platform.scalePool(POOL, { seen: new Set(), more: 1 });
    const all = () => [...platform.observe().instances.values()];
    await time.reach(() => all().some(({ echo }) => echo?.state === "prewarmed"), "it is prewarmed");
    const pod = cluster.store.list("/pods").find(({ metadata }) => metadata.uid === all()[0]?.uid);
    const path = `/api/v1/namespaces/${cluster.namespace}/pods/${pod?.metadata.name}`;
    cluster.at("PATCH", `${path}/status`, { status: { phase: "Failed", reason: "Evicted" } });
    await time.reach(() => all().some(({ obstacle }) => obstacle?.kind === "ended"), "its end is seen");
    expect(all()).toMatchObject([{ echo: { state: "failed", error: { message: "the pod has ended: Evicted" } } }]);

    cluster.faults.add({ method: "DELETE", path: /pods/ }, { kind: "late", ms: 1000 });
    const [{ uid, resourceVersion } = { uid: "", resourceVersion: "" }] = all();
    const removed = platform.remove({ uid, resourceVersion });
    await time.reach(() => all().length === 0, "it is gone");
    await removed;
    expect(all()).toEqual([]);
    await platform.close();
  }));
