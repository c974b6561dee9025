import { expect, test } from "vitest";
import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import type { CloneSet, Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { newCloneSet } from "../../helpers/builders/objects.ts";
import { forbidden } from "../../kubernetes/api/api-error.ts";
import { stopKruise } from "../../kubernetes/controllers/kruise-webhooks.ts";
import { KruiseCluster } from "../../kubernetes/kruise-cluster.ts";
import { VirtualTime } from "../../kubernetes/virtual-time.ts";

const SETS = "/apis/apps.kruise.io/v1alpha1/namespaces/berth/clonesets";
const PODS = "/api/v1/namespaces/berth/pods";

/** A CloneSet in memory with so many running pods, and what is done to it next. */
function withSet(replicas: number, body: (world: World) => Promise<void>): Promise<void> {
  return VirtualTime.run(1, async (time) => {
    const world = new World(time);
    await world.change({ replicas, scaleStrategy: { maxUnavailable: replicas } });
    await world.change({ scaleStrategy: { maxUnavailable: 0 } });
    expect(world.pods()).toHaveLength(replicas);
    await body(world);
  });
}

class World {
  readonly cluster = new KruiseCluster();
  readonly time: VirtualTime;

  constructor(time: VirtualTime) {
    this.time = time;
    const spec = { scaleStrategy: { maxUnavailable: 0 }, updateStrategy: { partition: "100%" } };
    this.cluster.make(SETS, newCloneSet("s", { spec }));
  }

  async change(spec: object): Promise<void> {
    this.cluster.at("PATCH", `${SETS}/s`, { spec });
    await this.time.sleep(10_000);
  }

  pods(): string[] {
    return this.cluster.at<{ items: Pod[] }>("GET", PODS).items.map(({ metadata }) => metadata.name);
  }

  set(): CloneSet & { status: { updatedReplicas?: number; conditions?: { type: string; message: string }[] } } {
    return this.cluster.at("GET", `${SETS}/s`);
  }
}

test("creates no more than may be unavailable, and none with maxUnavailable 0", () =>
  withSet(2, async (world) => {
    await world.change({ replicas: 5 });
    expect(world.pods()).toHaveLength(2);
    await world.change({ scaleStrategy: { maxUnavailable: 1 } });
    // One after the other, as each becomes ready.
    expect(world.pods()).toHaveLength(5);
    expect(world.set().status).toMatchObject({ replicas: 5, observedGeneration: world.set().metadata.generation });
  }));

test("deletes exactly the named pod, takes its name off the list, and holds that back while it has too few", () =>
  withSet(3, async (world) => {
    const [first = "", second = ""] = world.pods();
    await world.change({ replicas: 2, scaleStrategy: { podsToDelete: [first] } });
    expect(world.pods()).toHaveLength(2);
    expect(world.pods()).not.toContain(first);
    expect(world.set().spec.scaleStrategy?.podsToDelete).toEqual([]);
    await world.change({ replicas: 4, scaleStrategy: { podsToDelete: [second] } });
    expect(world.pods()).toContain(second);
    await world.change({ replicas: 1 });
    expect(world.pods()).not.toContain(second);
  }));

test("updates nothing while it is paused, and then those beyond the partition; creates and deletes meanwhile, of the former template first", () =>
  withSet(2, async (world) => {
    const images = () =>
      world.cluster
        .at<{ items: Pod[] }>("GET", PODS)
        .items.map(({ spec }) => spec.containers[0]?.image)
        .sort();
    await world.change({ updateStrategy: { paused: true, partition: 0 }, template: { spec: { containers: [{ name: "runtime", image: "i:2" }] } } });
    expect(images()).toEqual(["i:1", "i:1"]);
    await world.change({ replicas: 3, scaleStrategy: { maxUnavailable: 1 } });
    expect(images()).toEqual(["i:1", "i:1", "i:2"]);
    await world.change({ replicas: 4, updateStrategy: { partition: "100%" } });
    expect([images(), world.set().status.updatedReplicas]).toEqual([["i:1", "i:1", "i:1", "i:2"], 1]);
    const [first = ""] = world.pods();
    await world.change({ replicas: 3, scaleStrategy: { podsToDelete: [first] } });
    expect(world.pods()).toHaveLength(3);
    await world.change({ updateStrategy: { paused: false, partition: 1 } });
    expect(images()).toEqual(["i:1", "i:2", "i:2"]);
  }));

test("deletes a surplus of its own choice", () =>
  withSet(3, async (world) => {
    await world.change({ replicas: 1 });
    expect(world.pods()).toHaveLength(1);
  }));

test("an unknown name to delete is refused, and so is the deletion of a protected set", () =>
  withSet(1, async ({ cluster }) => {
    const refusal = (work: () => unknown) => {
      try {
        return work();
      } catch (error) {
        return (error as KubeError).status;
      }
    };
    expect(refusal(() => cluster.at("PATCH", `${SETS}/s`, { spec: { scaleStrategy: { podsToDelete: ["nobody"] } } }))).toBe(422);
    cluster.at("PATCH", `${SETS}/s`, { metadata: { labels: { "policy.kruise.io/delete-protection": "Cascading" } } });
    expect(refusal(() => cluster.at("DELETE", `${SETS}/s`))).toBe(403);
  }));

test("the reason why it cannot create is its condition FailedScale, until that is over", () =>
  withSet(0, async (world) => {
    const allow = world.cluster.api.admission.check(({ operation, kind, name }) => {
      if (operation === "CREATE" && kind.plural === "pods")
        throw forbidden({ ...kind, name }, "exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0");
    });
    await world.change({ replicas: 1, scaleStrategy: { maxUnavailable: 1 } });
    expect(world.set().status.conditions).toMatchObject([{ type: "FailedScale", message: expect.stringContaining("exceeded quota") }]);
    allow();
    await world.time.sleep(60_000);
    expect([world.pods().length, world.set().status.conditions]).toEqual([1, undefined]);
  }));

test("while its webhooks are down or hang, writes that pass them fail, and those of statuses and scales do not", () =>
  withSet(1, async ({ cluster, time }) => {
    const kube = cluster.connect("manager");
    const write = () => kube.patch(`${SETS}/s`, "merge", { spec: { replicas: 1 } }).then(() => 200, ({ status }: KubeError) => status); // biome-ignore format: one line
    const up = stopKruise(cluster, "down");
    expect(await write()).toBe(500);
    await kube.patch(`${SETS}/s/scale`, "merge", { spec: { replicas: 1 } });
    up();
    expect(await write()).toBe(200);
    const before = time.now();
    stopKruise(cluster, "hung");
    expect([await write(), Math.round((time.now() - before) / 1000)]).toEqual([0, 5]);
  }));
