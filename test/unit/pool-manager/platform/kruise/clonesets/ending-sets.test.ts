import { expect, test } from "vitest";
import { WarmFunction } from "../../../../../kubernetes/berth/warm-function.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

const HELD = "is being deleted and waits for the finalizers example.com/hold: their owners must remove them; another one is created once it is gone";

test("a pool whose CloneSet is being deleted reports that, continues to serve, and gets another one afterwards", () =>
  VirtualTime.run(1, async (time) => {
    const world = await WarmFunction.start(time, 2);
    const { name, uid } = world.set("pool-")?.metadata ?? {};
    world.deleteHeld("pool-");
    await world.deploy("r1", 3);
    await world.reach(() => world.problems().some((problem) => problem === `no more instances are created: CloneSet ${name} ${HELD}`), "it is told");
    await world.reach(() => world.count("warm") === 3, "its free instances are used all the same");
    expect(world.set("pool-")?.metadata.uid).toBe(uid);
    const told = world.events.filter(({ type }) => type === "action.failed");
    world.edit("pool-", { metadata: { finalizers: null } });
    await world.reach(() => world.isWhole(3), "the pool is full again");
    expect(world.set("pool-")?.metadata.uid).not.toBe(uid);
    expect(told.filter((event) => "again" in event && !event.again)).toHaveLength(1);
    await world.reach(() => world.problems().length === 0, "nothing is in the way");
    await world.manager.stop();
  }));

test("a function whose CloneSet is being deleted reports that, continues to serve with more instances or fewer, and gets another one afterwards", () =>
  VirtualTime.run(2, async (time) => {
    const world = await WarmFunction.start(time, 2);
    const { name, uid } = world.set("fn-")?.metadata ?? {};
    world.deleteHeld("fn-");
    await world.deploy("r1", 3);
    await world.reach(() => world.count("warm") === 3, "a third one serves");
    await world.reach(() => world.problems().includes(`bind fails: CloneSet ${name} ${HELD}`), "it is told");
    await world.deploy("r1", 1);
    await world.reach(() => world.count("warm") === 1, "two of them are removed");
    expect(world.set("fn-")?.metadata.uid).toBe(uid);
    world.edit("fn-", { metadata: { finalizers: null } });
    await time.sleep(1000);
    await world.reach(() => world.isWhole(1), "it is warm in another CloneSet");
    expect(world.set("fn-")?.metadata.uid).not.toBe(uid);
    await world.reach(() => world.problems().length === 0, "nothing is in the way", 120_000);
    await world.manager.stop();
  }));
