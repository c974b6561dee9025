import { describe, expect, test } from "vitest";
import type { KruisePlatform } from "../../../../../../pool-manager/platform/kruise/kruise.ts";
import type { CloneSet, Pod } from "../../../../../../pool-manager/platform/kruise/objects/objects.ts";
import { isBerths, podOwnerOf } from "../../../../../../pool-manager/platform/kruise/objects/pod-owner.ts";
import { isCurrent } from "../../../../../../pool-manager/platform/kruise/objects/template.ts";
import { pod } from "../../../../../helpers/builders/objects.ts";
import { POOL, startedPlatform } from "../../../../../kubernetes/berth/started-platform.ts";
import { KruiseCluster } from "../../../../../kubernetes/kruise-cluster.ts";
import type { ApiObject } from "../../../../../kubernetes/objects/object.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

function podOf(labels: Record<string, string>, owner?: string, { kind = "CloneSet", container = "runtime", annotations = {} } = {}): Pod {
  const reference = { apiVersion: "", kind, name: owner ?? "", uid: `uid-${owner}`, controller: true, blockOwnerDeletion: true };
  const ownerReferences = owner ? [reference] : [];
  return pod("p", { metadata: { labels, annotations, ownerReferences }, spec: { containers: [{ name: container, image: "i" }] } });
}

function sets(...known: [name: string, labels: Record<string, string>][]) {
  const byName = new Map(
    known.map(([name, labels]) => [name, { metadata: { name, uid: `uid-${name}`, labels }, spec: { template: {} } } as unknown as CloneSet]),
  );
  return { get: (name: string) => byName.get(name) };
}

describe("what a pod belongs to", () => {
  const known = sets(["pool-node-00000001", { "berth.dev/pool": "node" }], ["fn-f1", { "berth.dev/pool": "node", "berth.dev/function": "f1" }]);

  test.each<[string, Pod, string, string | null, boolean]>([
    ["is the pool's of its CloneSet", podOf({ "berth.dev/pool": "node" }, "pool-node-00000001"), "node", null, true],
    ["has lost its labels", podOf({}, "pool-node-00000001"), "node", null, true],
    ["has the labels of another pool and function", podOf({ "berth.dev/pool": "x", "berth.dev/function": "y" }, "pool-node-00000001"), "node", null, true],
    ["is a function's, and has lost its labels", podOf({}, "fn-f1"), "node", "f1", true],
    ["is a function's, and has another one's label", podOf({ "berth.dev/pool": "node", "berth.dev/function": "y" }, "fn-f1"), "node", "f1", true],
    ["has lost its owner", podOf({ "berth.dev/pool": "node", "berth.dev/function": "f1" }), "node", "f1", true],
    ["has an owner that is not known yet", podOf({ "berth.dev/pool": "node", "berth.dev/function": "f2" }, "fn-f2"), "node", "f2", true],
    ["is somebody else's", podOf({ app: "web" }, "pool-web-00000001"), "", null, false],
    ["has the label, and is a Deployment's", podOf({ "berth.dev/pool": "node" }, "fn-web", { kind: "ReplicaSet" }), "node", null, false],
    ["has the label, and is of a copy of a CloneSet", podOf({ "berth.dev/pool": "node" }, "copy-of-pool"), "node", null, false],
    ["has the label, and no runtime", podOf({ "berth.dev/pool": "node" }, undefined, { container: "web" }), "node", null, false],
    [
      "was bound, and has another controller since",
      podOf({ "berth.dev/pool": "node", "berth.dev/function": "f1" }, "web", { kind: "ReplicaSet", annotations: { "berth.dev/fingerprint": "AA" } }),
      "node",
      "f1",
      true,
    ],
  ])("one that %s", (_what, candidate, pool, functionUid, ours) => {
    const found = podOwnerOf(candidate, known);
    expect([found.pool, found.functionUid, isBerths(candidate, known)]).toEqual([pool, functionUid, ours]);
  });

  test("Kruise counts a pod for the CloneSet that owns it, if that is known", () => {
    const counted = (owner?: string) => podOwnerOf(podOf({ "berth.dev/pool": "node" }, owner), known).isCounted;
    expect([counted("fn-f1"), counted("fn-f2"), counted()]).toEqual([true, false, false]);
  });

  test("a function's CloneSet that has lost its label is still the function's, by its name", () => {
    expect(podOwnerOf(podOf({}, "fn-f1"), sets(["fn-f1", { "berth.dev/pool": "node" }])).functionUid).toBe("f1");
  });

  test("a pod is of the template of its pool's CloneSet, whatever its label says; a label that Berth has not written says nothing", () => {
    const template = { hash: "0000000a", runtimeImage: "r:1@sha256:1" };
    const of = (label: string, owner: string, image = "r:0@sha256:0") =>
      isCurrent(
        { ...podOf({ "berth.dev/template": label }, owner), spec: { containers: [{ name: "runtime", image }] } },
        "node",
        new Map([["node", template]]),
      );
    expect([of("other", "pool-node-0000000a"), of("0000000b", "pool-node-0000000a"), of("0000000a", "pool-node-0000000b")]).toEqual([true, true, false]);
    expect([of("0000000a", "fn-f"), of("0000000b", "fn-f", "x@sha256:1"), of("other", "fn-f", "x@sha256:1")]).toEqual([true, false, true]);
  });

  test("a pod is compared with the template of its own pool, and one of a runtime that is not offered here with none", () => {
    const templates = new Map([
      ["node", { hash: "0000000a", runtimeImage: "n:1" }],
      ["python", { hash: "0000000b", runtimeImage: "p:1" }],
    ]);
    const of = (pool: string, hash: string) => {
      const spec = { containers: [{ name: "runtime", image: "x:1" }] };
      return isCurrent({ ...podOf({ "berth.dev/template": hash }, "fn-f"), spec }, pool, templates);
    };
    expect([of("node", "0000000a"), of("node", "0000000b"), of("python", "0000000a"), of("python", "0000000b")]).toEqual([true, false, false, true]);
    expect([of("ruby", "0000000a"), of("ruby", "0000000f"), of("", "0000000b"), of("", "0000000f")]).toEqual([true, true, true, false]);
  });
});

/** A platform in virtual time, with what a decision asks of it: two free instances. */
async function started(cluster: KruiseCluster): Promise<{ platform: KruisePlatform; scale: () => Promise<void>; prewarmed: () => number }> {
  const { platform, instances, prewarmed, grow } = await startedPlatform(cluster);
  const scale = () => grow(2 - instances().length);
  const free = () => prewarmed().filter(({ pool, binding, replace }) => pool === "node" && !binding && !replace);
  return { platform, scale, prewarmed: () => free().length };
}

function path(cluster: KruiseCluster, pod: ApiObject | undefined): string {
  return `/api/v1/namespaces/${cluster.namespace}/pods/${pod?.metadata.name}`;
}

test("pods whose labels were changed by hand are observed, and continue to serve their function", () =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    const { platform, scale, prewarmed } = await started(cluster);
    await scale();
    await time.reach(() => prewarmed() === 2, "two are prewarmed");
    const [a, b] = cluster.store.list("/pods");
    cluster.at("PATCH", path(cluster, a), { metadata: { labels: { "berth.dev/pool": null, "berth.dev/template": null } } });
    cluster.at("PATCH", path(cluster, b), { metadata: { labels: { "berth.dev/function": "nobody", "berth.dev/template": "0000000b" } } });
    await time.sleep(400_000);
    expect([prewarmed(), cluster.store.list("/pods").length]).toEqual([2, 2]);
    await platform.close();
  }));

test("CloneSets whose labels were changed by hand get them back, and continue to create pods", () =>
  VirtualTime.run(6, async (time) => {
    const cluster = new KruiseCluster();
    const { platform, scale, prewarmed } = await started(cluster);
    await scale();
    await time.reach(() => prewarmed() === 2, "two are prewarmed");
    const [set] = cluster.store.list("apps.kruise.io/clonesets");
    const setPath = `/apis/apps.kruise.io/v1alpha1/namespaces/${cluster.namespace}/clonesets/${set?.metadata.name}`;
    const labels = () => cluster.store.list("apps.kruise.io/clonesets")[0]?.metadata.labels;
    cluster.at("PATCH", setPath, { metadata: { labels: { "berth.dev/pool": null } } });
    const [free] = cluster.store.list("/pods");
    cluster.at("DELETE", path(cluster, free));
    await time.reach(() => platform.observe().instances.size === 1, "one is gone");
    await scale();
    await time.reach(() => prewarmed() === 2, "it is made up for");
    await time.reach(() => labels()?.["berth.dev/pool"] === "node", "the label is back");
    cluster.at("PATCH", setPath, { metadata: { labels: { "berth.dev/pool": "other" } } });
    await time.reach(() => labels()?.["berth.dev/pool"] === "node", "the label is right again");
    expect(prewarmed()).toBe(2);
    await platform.close();
  }));

test("pods that a webhook gives other labels are the pool's, and no others are made in their place", () =>
  VirtualTime.run(2, async (time) => {
    const cluster = new KruiseCluster();
    cluster.api.admission.mutate(({ operation, kind, object }) => {
      if (operation !== "CREATE" || kind.kind !== "Pod") return object;
      const labels = { ...object.metadata.labels, "berth.dev/pool": "other", "berth.dev/template": "other", "berth.dev/function": "other" };
      return { ...object, metadata: { ...object.metadata, labels } };
    });
    const { platform, scale, prewarmed } = await started(cluster);
    await scale();
    await time.reach(() => prewarmed() === 2, "two are prewarmed");
    await platform.close();
  }));

/** Takes labels away from each new pod. Returns how many it has seen, and what ends it. */
function withoutLabels(cluster: KruiseCluster, isTaken: (label: string) => boolean): { made: () => number; undo: () => void } {
  let made = 0;
  const undo = cluster.api.admission.mutate(({ operation, kind, object }) => {
    if (operation !== "CREATE" || kind.kind !== "Pod") return object;
    made += 1;
    const labels = Object.fromEntries(Object.entries(object.metadata.labels ?? {}).filter(([name]) => !isTaken(name)));
    return { ...object, metadata: { ...object.metadata, labels } };
  });
  return { made: () => made, undo };
}

test("a webhook that removes all labels makes Kruise release each new pod: creation stops at once, this is reported, no pods are left, and creation is tried again later", () =>
  VirtualTime.run(4, async (time) => {
    const cluster = new KruiseCluster();
    const { made, undo } = withoutLabels(cluster, (label) => label.startsWith("berth.dev/"));
    const { platform, scale, prewarmed } = await started(cluster);
    const tries = async (count: number) => {
      const told: string[] = [];
      for (let i = 0; i < count; i++) {
        await scale().catch(({ message }: Error) => told.push(message));
        await time.sleep(10_000);
      }
      return told;
    };
    // A refused pool is tried this often in ten minutes.
    const told = await tries(60);
    expect(told.length).toBeGreaterThan(50);
    expect(told.at(-1)).toMatch(/^Kruise releases new pods of CloneSet pool-node-\S+: something in the cluster, such as a webhook, .* berth.dev\/set$/);
    expect(platform.observe().refusals?.().get("node")).toBe(told.at(-1));
    expect(made()).toBeLessThan(40);
    expect(cluster.store.list("/pods").filter(({ metadata }) => !metadata.deletionTimestamp)).toHaveLength(0);

    undo();
    await tries(40);
    expect(prewarmed()).toBe(2);
    expect(platform.observe().refusals?.().size).toBe(0);
    await platform.close();
  }));

test("a webhook that removes only the label by which the CloneSet selects leaves instances that are used", () =>
  VirtualTime.run(5, async (time) => {
    const cluster = new KruiseCluster();
    const { made } = withoutLabels(cluster, (label) => label === "berth.dev/set");
    const { platform, scale, prewarmed } = await started(cluster);
    for (let i = 0; i < 30; i++) {
      await scale().catch(() => {});
      await time.sleep(10_000);
    }
    expect(prewarmed()).toBeGreaterThanOrEqual(2);
    expect(made()).toBeLessThanOrEqual(POOL.max);
    await platform.close();
  }));

test("pods that Kruise counts and that no watch has shown are named as the reason, and are then replaced", () =>
  VirtualTime.run(3, async (time) => {
    const cluster = new KruiseCluster();
    const { platform, scale, prewarmed } = await started(cluster);
    cluster.hushWatches({ client: "manager", path: /\/pods$/ });
    await expect(scale()).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringMatching(/^Kruise counts 2 pods of CloneSet \S+ that the API server does not show/),
    });
    await scale();
    expect(cluster.store.list("/pods")).toHaveLength(4);
    // The silent watch is opened anew in time.
    await time.reach(() => prewarmed() === 4, "all are seen");
    expect(cluster.store.list("/pods").map(({ metadata }) => metadata.deletionTimestamp)).toEqual([undefined, undefined, undefined, undefined]);
    await platform.close();
  }));
