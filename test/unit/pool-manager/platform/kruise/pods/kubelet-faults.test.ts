import { expect, test } from "vitest";
import { World } from "../../../../../kubernetes/berth/world.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

const SIZES = { functions: ["a", "b"], warmEach: 2, free: 3, max: 10 };
const MINUTE_MS = 60_000;

/** Pods that functions have, by uid. */
function bound(world: World): string[] {
  const pods = world.cluster.store.list("/pods").filter(({ metadata }) => metadata.labels?.["berth.dev/function"]);
  return pods.map(({ metadata }) => metadata.uid).sort();
}

async function resting(time: VirtualTime, prepare: (world: World) => void = () => {}): Promise<World> {
  const world = new World(time, SIZES);
  prepare(world);
  await world.begin();
  return world;
}

test("no kubelet serves logs for ten minutes, before a takeover and after it: functions keep their instances, and the pool stays within its bounds", () =>
  VirtualTime.run(1, async (time) => {
    const world = await resting(time);
    const before = bound(world);
    world.cluster.kubelet.isReachable = false;
    await world.takeover("kill", true);
    await time.sleep(10 * MINUTE_MS);
    expect([bound(world), world.broken, world.served > 100]).toEqual([before, 0, true]);
    world.cluster.kubelet.isReachable = true;
    await time.reach(() => world.isAtRest(), "the pool is full again", 5 * MINUTE_MS);
    expect([bound(world), world.broken]).toEqual([before, 0]);
    expect(world.mostPods).toBeLessThanOrEqual(SIZES.max);
    await world.end();
  }));

test("another process writes to the log before the runtime: each pod is known after a takeover", () =>
  VirtualTime.run(2, async (time) => {
    const world = await resting(time, ({ cluster }) => {
      cluster.kubelet.firstLines = ["starting", "berth ready nothing", "{}"];
    });
    const before = world.pods();
    for (const how of ["stop", "kill"] as const) {
      await world.takeover(how, true);
      await time.sleep(3 * MINUTE_MS);
    }
    expect([world.pods(), world.broken, world.removed]).toEqual([before, 0, []]);
    await world.end();
  }));

test("logs are rotated before a takeover: functions keep their instances, and instances that can no longer be recognised are replaced", () =>
  VirtualTime.run(3, async (time) => {
    const world = await resting(time);
    const before = bound(world);
    for (const uid of world.cluster.kubelet.instances().keys()) world.cluster.kubelet.rotateLog(uid);
    await world.takeover("kill", true);
    await time.reach(() => world.isAtRest(), "the pool is full of instances that can be known", 10 * MINUTE_MS);
    expect([bound(world), world.broken]).toEqual([before, 0]);
    expect(world.mostPods).toBeLessThanOrEqual(SIZES.max);
    await world.end();
  }));

test.each(["while a pool manager leads", "and another pool manager takes over meanwhile"])(
  "a node is restarted with all that it runs, %s: everything is replaced within two minutes",
  (when) =>
    VirtualTime.run(4, async (time) => {
      const world = await resting(time);
      const before = world.pods();
      world.cluster.kubelet.reboot();
      if (when.startsWith("and")) await world.takeover("kill", true);
      await time.reach(() => world.isAtRest() && before.every((uid) => !world.pods().includes(uid)), "everything is fresh", 2 * MINUTE_MS);
      expect(world.mostPods).toBeLessThanOrEqual(SIZES.max);
      const { broken, served } = world;
      await time.sleep(5 * MINUTE_MS);
      expect([world.broken, world.served > served]).toEqual([broken, true]);
      await world.end();
    }),
);
