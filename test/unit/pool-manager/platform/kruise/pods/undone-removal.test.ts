import { expect, test } from "vitest";
import { WarmFunction } from "../../../../../kubernetes/berth/warm-function.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

/** Removes one of three instances. Returns the uids of the others once the CloneSet has the order to delete it. */
async function withRemoval(world: WarmFunction): Promise<string[]> {
  await world.deploy("r1", 2);
  const named = () => world.set("fn-")?.spec.scaleStrategy?.podsToDelete ?? [];
  await world.reach(() => named().length === 1, "its CloneSet is asked");
  return world.pods().flatMap(({ metadata }) => (named().includes(metadata.name) ? [] : [metadata.uid]));
}

test("a removal that somebody undid while Kruise was down is decided again, and ends only that instance", () =>
  VirtualTime.run(1, async (time) => {
    const world = await WarmFunction.start(time, 3);
    world.cluster.kruise.frozen = true;
    const others = await withRemoval(world);
    world.edit("fn-", { spec: { replicas: 3, scaleStrategy: { podsToDelete: [] } } });
    await time.sleep(5000);
    world.cluster.kruise.frozen = false;
    await world.reach(() => world.isWhole(2), "it is removed");
    await time.sleep(30_000);
    expect(world.pods().map(({ metadata }) => metadata.uid)).toEqual(others);
    await world.manager.stop();
  }));

test("a removal whose CloneSet was deleted before Kruise did it is decided again, too", () =>
  VirtualTime.run(2, async (time) => {
    const world = await WarmFunction.start(time, 3);
    world.cluster.kruise.frozen = true;
    const others = await withRemoval(world);
    world.deleteHeld("fn-");
    world.cluster.kruise.frozen = false;
    await world.reach(() => world.pods().length === others.length, "it is removed");
    expect(world.pods().map(({ metadata }) => metadata.uid)).toEqual(others);
    await world.manager.stop();
  }));

test("a removal that Kruise has done, but that the watch has not shown yet, is not requested again", () =>
  VirtualTime.run(3, async (time) => {
    const world = await WarmFunction.start(time, 3);
    world.cluster.hushWatches({ client: "manager", path: /\/pods$/ });
    const others = await withRemoval(world);
    await world.reach(() => world.set("fn-")?.spec.scaleStrategy?.podsToDelete?.length === 0, "Kruise has deleted it");
    let asked = 0;
    const changed = () => {
      asked += world.set("fn-")?.spec.scaleStrategy?.podsToDelete?.length ?? 0;
    };
    world.cluster.store.listen({ changed, restored: () => {} });
    await time.sleep(100_000);
    expect([asked, world.isWhole(2)]).toEqual([0, true]);
    expect(world.pods().map(({ metadata }) => metadata.uid)).toEqual(expect.arrayContaining(others));
    await world.manager.stop();
  }));
