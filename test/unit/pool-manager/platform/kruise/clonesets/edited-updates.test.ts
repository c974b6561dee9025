import { describe, expect, test } from "vitest";
import type { CloneSet } from "../../../../../../pool-manager/platform/kruise/objects/objects.ts";
import { WarmFunction } from "../../../../../kubernetes/berth/warm-function.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

/** Edits the template as `kubectl set image cloneset/NAME runtime=IMAGE` does. */
function withRuntime(set: CloneSet | undefined, image: string): object {
  const containers = set?.spec.template.spec.containers.map((one) => (one.name === "runtime" ? { ...one, image } : one));
  return { template: { spec: { containers } } };
}

const runtimeOf = (set: CloneSet | undefined) => set?.spec.template.spec.containers.find(({ name }) => name === "runtime")?.image;
const UPDATES = { type: "InPlaceOnly", maxUnavailable: "100%", maxSurge: 0, paused: true };

/** The function's release is over: Kruise would update every pod that does not count for the template. */
async function released(time: VirtualTime): Promise<WarmFunction> {
  const world = await WarmFunction.start(time, 3);
  await world.reach(() => world.set("fn-")?.spec.updateStrategy?.partition === 0, "the release is over");
  return world;
}

describe("the template of a function's CloneSet that somebody edits", () => {
  test("restarts no instance, and is restored and reported", () =>
    VirtualTime.run(1, async (time) => {
      const world = await released(time);
      const pods = world.pods().map(({ metadata }) => metadata.uid);
      const revision = world.set("fn-")?.status?.updateRevision;
      world.invoke();
      world.edit("fn-", { spec: withRuntime(world.set("fn-"), "runtime:debug") });
      await world.reach(() => runtimeOf(world.set("fn-")) === "runtime:1", "it is put back");
      await time.sleep(60_000);
      expect([world.broken, world.pods().map(({ metadata }) => metadata.uid)]).toEqual([0, pods]);
      expect(world.told.map((text) => text.replace(/fn-\S+:/, "fn-F:"))).toEqual([
        "template of CloneSet fn-F: others have changed spec/template/spec/containers/0/image: it is put back",
        "template of CloneSet fn-F: null",
      ]);
      expect(world.set("fn-")?.status?.updateRevision).toBe(revision);
      expect(world.set("fn-")?.spec.updateStrategy).toEqual({ ...UPDATES, partition: 0 });
      await world.manager.stop();
    }));

  test("of an earlier version restarts none either once it is corrected, and is then kept as the present version creates it", () =>
    VirtualTime.run(2, async (time) => {
      const world = await released(time);
      // The set as it was before sets were paused, with the runtime of that time.
      world.edit("fn-", { metadata: { labels: { "berth.dev/template": null } }, spec: { updateStrategy: { paused: null, partition: "100%" } } });
      world.edit("fn-", { spec: withRuntime(world.set("fn-"), "runtime:0") });
      world.invoke();
      await world.reach(() => runtimeOf(world.set("fn-")) === "runtime:1" && world.set("fn-")?.spec.updateStrategy?.paused === true, "it is as of now");
      await time.sleep(60_000);
      expect([world.broken, world.told]).toEqual([0, []]);
      world.edit("fn-", { spec: withRuntime(world.set("fn-"), "runtime:debug") });
      await world.reach(() => world.told.length === 2 && runtimeOf(world.set("fn-")) === "runtime:1", "an edit is told again");
      await world.manager.stop();
    }));

  test("follows the next release", () =>
    VirtualTime.run(3, async (time) => {
      const world = await released(time);
      const before = world.set("fn-")?.status?.updateRevision;
      await world.deploy("r2", 3);
      await world.reach(() => world.set("fn-")?.status?.updateRevision !== before, "the template is the next one's");
      await world.reach(() => world.set("fn-")?.spec.updateStrategy?.partition === 0, "the release is over");
      expect(world.set("fn-")?.status).toMatchObject({ updatedReplicas: 3, currentRevision: world.set("fn-")?.status?.updateRevision });
      expect([world.told, world.isWhole(3)]).toEqual([[], true]);
      await world.manager.stop();
    }));
});

describe.each(["pool-", "fn-"] as const)("how a CloneSet updates: %s", (prefix) => {
  test.each<[string, object]>([
    ["goes on", { paused: false }],
    ["recreates", { type: "ReCreate" }],
    ["updates one by one", { maxUnavailable: 1 }],
    ["has another partition", { partition: prefix === "fn-" ? 2 : 0 }],
    ["has nothing of it", { type: null, maxUnavailable: null, maxSurge: null, paused: null, partition: null }],
  ])("one that %s is corrected", (_what, change) =>
    VirtualTime.run(4, async (time) => {
      const world = await released(time);
      const before = world.set(prefix)?.spec.updateStrategy;
      world.edit(prefix, { spec: { updateStrategy: change } });
      await time.sleep(15_000);
      expect(world.set(prefix)?.spec.updateStrategy).toEqual(before);
      expect(before).toMatchObject(UPDATES);
      await world.manager.stop();
    }),
  );
});

test("an empty pool's CloneSet creates no more pods from an edited template after the first ones", () =>
  VirtualTime.run(5, async (time) => {
    const world = await WarmFunction.start(time, 1);
    world.pool.size = 0;
    await world.reach(() => world.pods().length === 1, "the pool is empty");
    world.edit("pool-", { spec: { replicas: 0 } });
    await time.sleep(15_000);
    world.edit("pool-", { spec: withRuntime(world.set("pool-"), "runtime:debug") });
    await time.sleep(50);
    world.pool.size = 2;
    await world.deploy("r1", 2);
    const made = (image: string) => world.pods().filter(({ spec }) => spec.containers.some((one) => one.image === image));
    await world.reach(() => made("runtime:debug").length > 0, "one is made of it");
    await time.sleep(60_000);
    const wrong = made("runtime:debug").length;
    await world.deploy("r1", 5);
    await world.reach(() => world.isWhole(5), "it has more");
    expect([made("runtime:debug").length, made("runtime:1").length]).toEqual([wrong, 7 - wrong]);
    // They go, and the pool's CloneSet is as it was.
    for (const { metadata } of made("runtime:debug")) world.cluster.at("DELETE", `/api/v1/namespaces/${world.cluster.namespace}/pods/${metadata.name}`);
    await time.sleep(60_000);
    expect([made("runtime:debug").length, world.isWhole(5)]).toEqual([0, true]);
    await world.manager.stop();
  }));
