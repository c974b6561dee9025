import { expect, test } from "vitest";
import type { PodRuntime } from "../../../../../pool-manager/platform/kruise/clonesets/manifests.ts";
import type { CloneSet, Pod } from "../../../../../pool-manager/platform/kruise/objects/objects.ts";
import type { Platform } from "../../../../../pool-manager/platform/platform.ts";
import { MemoryCode } from "../../../../kubernetes/berth/memory-code.ts";
import { MemoryRegistry } from "../../../../kubernetes/berth/memory-registry.ts";
import { memoryPlatform, soleLead } from "../../../../kubernetes/berth/platform.ts";
import { KruiseCluster } from "../../../../kubernetes/kruise-cluster.ts";
import { VirtualTime } from "../../../../kubernetes/virtual-time.ts";

const PYTHON = { python: { image: "python:1", worker: { command: ["/usr/bin/python3", "main.py"], env: {} } } };
const pool = (name: string) => ({ name, runtime: name, max: 5 });
const more = (platform: Platform, count: number) => ({ seen: new Set(platform.observe().instances.keys()), more: count });
/** Long enough for several rounds of healing. */
const ROUNDS_MS = 10_000;

function open(cluster: KruiseCluster, runtimes: Record<string, PodRuntime>, code = new MemoryCode()) {
  return memoryPlatform({ cluster, registry: new MemoryRegistry(), code, kube: cluster.connect("manager"), lead: soleLead(), runtimes });
}

test("each pool has pods of its own image; a function's pods go to a CloneSet with its pool's template", () =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    const code = new MemoryCode();
    const platform = await open(cluster, PYTHON, code);
    await platform.start();
    for (const name of ["node", "python"]) await platform.scalePool(pool(name), more(platform, 1));
    const free = () => [...platform.observe().instances.values()].filter(({ echo }) => echo?.state === "prewarmed");
    await time.reach(() => free().length === 2, "both are prewarmed");
    const pods = cluster.store.list("/pods") as unknown as Pod[];
    expect(pods.map(({ spec }) => spec.containers[0]?.image).sort()).toEqual(["python:1", "runtime:1"]);
    const [instance] = free().filter((one) => one.pool === "python");
    platform.prepareCode([{ ...code.add("f1"), pool: "python" }]);
    await platform.bind({ uid: instance?.uid ?? "", resourceVersion: instance?.resourceVersion ?? "" }, { functionUid: "f1", revision: "r1" });
    const bound = () => platform.observe().instances.get(instance?.uid ?? "");
    expect([bound()?.binding?.functionUid, bound()?.pool, bound()?.replace]).toEqual(["f1", "python", null]);
    const sets = cluster.store.list("apps.kruise.io/clonesets") as unknown as CloneSet[];
    expect(sets.find(({ metadata }) => metadata.name === "fn-f1")?.spec.template.spec.containers[0]?.image).toBe("python:1");
    await platform.close();
  }));

test("a pool manager without an image of a runtime keeps the pods that another one has created of it, and creates none", () =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    const first = await open(cluster, PYTHON);
    await first.start();
    await first.scalePool(pool("python"), more(first, 1));
    await time.reach(() => [...first.observe().instances.values()].some(({ echo }) => echo?.state === "prewarmed"), "it is prewarmed");
    await first.close();
    const names = () => cluster.store.list("apps.kruise.io/clonesets").map(({ metadata }) => metadata.name);
    const before = names();
    const second = await open(cluster, {});
    await second.start();
    await time.sleep(ROUNDS_MS);
    expect([...second.observe().instances.values()].map(({ pool, replace, removing }) => [pool, replace, removing])).toEqual([["python", null, false]]);
    expect([before.length, names()]).toEqual([1, before]);
    await expect(second.scalePool(pool("python"), more(second, 1))).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await second.close();
  }));
