import { expect, test } from "vitest";
import { newCloneSet } from "../../../../helpers/builders/objects.ts";
import { WarmFunction } from "../../../../kubernetes/berth/warm-function.ts";
import { VirtualTime } from "../../../../kubernetes/virtual-time.ts";

const CONTAINERS = [{ name: "web", image: "web:1" }];

/** Berth's label is on objects of others that have a copied manifest, or that a network policy or a budget selects by it. */
const LABELS = { app: "shop", "berth.dev/pool": "node" };

const podsOf = (world: WarmFunction, prefix: string) => world.pods().filter(({ metadata }) => metadata.name.startsWith(prefix)).length;

test("pods of others that have Berth's label are no instances: they stay, and the pool is as full as before", () =>
  VirtualTime.run(1, async (time) => {
    const world = await WarmFunction.start(time, 1);
    const path = `/api/v1/namespaces/${world.cluster.namespace}/pods`;
    const ownerReferences = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "shop", uid: "shop", controller: true }];
    world.cluster.make(path, { metadata: { name: "shop-1", labels: LABELS, ownerReferences }, spec: { containers: CONTAINERS } });
    world.cluster.make(path, { metadata: { name: "shop-2", labels: LABELS }, spec: { containers: CONTAINERS } });
    world.cluster.make(path, { metadata: { name: "shop-3", labels: LABELS, ownerReferences }, spec: { containers: [{ name: "runtime", image: "web:1" }] } });
    await time.sleep(90_000);
    expect([podsOf(world, "shop"), podsOf(world, "pool-")]).toEqual([3, 3]);
    expect([world.events.filter(({ type }) => type === "instance.removing"), world.problems()]).toEqual([[], []]);
    await world.manager.stop();
  }));

test("a CloneSet of others that has Berth's label is neither changed nor deleted, nor is a copy of one of Berth's", () =>
  VirtualTime.run(2, async (time) => {
    const world = await WarmFunction.start(time, 1);
    const { cluster } = world;
    const resource = "apps.kruise.io/clonesets";
    const path = `/apis/apps.kruise.io/v1alpha1/namespaces/${cluster.namespace}/clonesets`;
    const template = { metadata: { labels: LABELS }, spec: { containers: CONTAINERS } };
    const spec = { replicas: 2, selector: { matchLabels: { app: "shop" } }, template };
    cluster.make(path, newCloneSet("shop", { metadata: { labels: LABELS }, spec }));
    const pool = world.set("pool-");
    cluster.make(path, newCloneSet("copy", { metadata: { labels: pool?.metadata.labels ?? {} }, spec: { ...pool?.spec, replicas: 0 } }));
    const specs = () => cluster.store.list(resource).flatMap(({ metadata, spec }) => (["shop", "copy"].includes(metadata.name) ? [spec] : []));
    const before = specs();
    await time.sleep(60_000);
    expect(specs()).toEqual(before);
    expect([podsOf(world, "shop"), podsOf(world, "pool-")]).toEqual([2, 3]);
    await world.manager.stop();
  }));
