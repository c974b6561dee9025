import { expect, test } from "vitest";
import { KruiseCluster } from "../kubernetes/kruise-cluster.ts";
import { MemoryCode } from "../kubernetes/memory-code.ts";
import { MemoryRegistry } from "../kubernetes/memory-registry.ts";
import { memoryPlatform, soleLead } from "../kubernetes/platform.ts";
import { VirtualTime } from "../kubernetes/virtual-time.ts";

const POOL = { name: "node", runtime: "node", max: 5 };

test("a pod that has lost its labels by hand is kept, named as the reason, and then made up for", () =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    const options = { cluster, registry: new MemoryRegistry(), code: new MemoryCode(), lead: soleLead() };
    const platform = await memoryPlatform({ ...options, kube: cluster.connect("manager") });
    await platform.start();
    // As a decision has it: two free ones are wanted.
    const scale = () => {
      const seen = new Set(platform.observe().instances.keys());
      return platform.scalePool(POOL, { seen, more: 2 - seen.size });
    };
    const prewarmed = () => [...platform.observe().instances.values()].filter(({ echo }) => echo?.state === "prewarmed");
    await scale();
    await time.reach(() => prewarmed().length === 2, "two are prewarmed");
    const [lost] = cluster.store.list("/pods");
    const path = `/api/v1/namespaces/${cluster.namespace}/pods/${lost?.metadata.name}`;
    cluster.at("PATCH", path, { metadata: { labels: { "berth.dev/pool": null } } });
    await time.reach(() => prewarmed().length === 1, "one is not seen any more");

    await expect(scale()).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringMatching(/^Kruise counts 1 pods of CloneSet \S+ that have lost their label/),
    });
    await scale();
    await time.reach(() => prewarmed().length === 2, "it is made up for");
    await time.sleep(60_000);
    expect(cluster.store.list("/pods").map(({ metadata }) => metadata.deletionTimestamp)).toEqual([undefined, undefined, undefined]);
    await platform.close();
  }));
