import { expect, test } from "vitest";
import { World } from "../../../../kubernetes/berth/world.ts";
import { VirtualTime } from "../../../../kubernetes/virtual-time.ts";

// I18
test("after a restore from a backup, instances that know a later term than the leader's are replaced, and the function follows its deployments", () =>
  VirtualTime.run(1, async (time) => {
    const world = new World(time, { functions: ["f"], warmEach: 2, free: 2, max: 10 });
    await world.begin();
    // The kubelet has told all that it has to tell.
    await time.sleep(5000);
    const backup = world.cluster.store.snapshot();
    for (const revision of ["r2", "r3"]) {
      await world.takeover("stop", true);
      await world.deploy("f", 2, revision);
      await time.reach(() => world.loaded(revision) === 2, `${revision} is loaded`);
    }
    await world.manager.kill();
    world.cluster.store.restore(backup);
    await world.lead();
    expect(world.manager.term).toBeLessThan(3);
    await world.deploy("f", 2, "r4");
    await time.reach(() => world.loaded("r4") === 2, "r4 is loaded");
    const refused = world.events.filter((event) => event.type === "order.refused" && event.refusal === "term").length;
    expect(refused).toBeLessThanOrEqual(6);
    await time.sleep(60_000);
    expect(world.isAtRest()).toBe(true);
    await world.end();
  }));
