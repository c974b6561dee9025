import { beforeEach, describe, expect, test } from "vitest";
import { ManagerError } from "../../../../pool-manager/errors.ts";
import type { PoolSpec } from "../../../../pool-manager/pool/decide/world.ts";
import { type PoolStore, Pools } from "../../../../pool-manager/pool/pools.ts";
import { cappedInWords, memoryInWords } from "../../../../pool-manager/pool/publish/problems.ts";
import { declarationOf } from "../../../../pool-manager/pool/settings/pool-change.ts";
import type { PoolChange } from "../../../../pool-manager/pool/settings/pool-fields.ts";
import { POOL } from "../../../helpers/builders/world.ts";

/** A store that keeps what was declared in memory. */
class Kept implements PoolStore {
  readonly saved = new Map<string, PoolChange>();
  load = async () => new Map([...this.saved].map(([name, set]) => [name, { set, held: null }]));
  save = async (pool: PoolSpec) => void this.saved.set(pool.name, declarationOf(pool));
}

let store: Kept;
let pools: Pools;

async function opened(capacity: number | null = null): Promise<Pools> {
  const made = new Pools(store, () => {}, { capacity });
  await made.load([POOL]);
  return made;
}

beforeEach(async () => {
  store = new Kept();
  pools = await opened();
});

test("a pool sizes itself from its least size on, and has its defaults", async () => {
  await pools.set("node", { size: "auto" });
  expect(pools.get("node")).toMatchObject({ size: 1, max: 6, auto: { targetHit: 0.99, min: 1 } });
});

test("a chosen size is in force within the bounds, and is not stored", async () => {
  await pools.set("node", { size: "auto", min: 2, targetHit: 0.9 });
  pools.choose("node", { size: 5, refills: 3 });
  expect(pools.list()[0]).toMatchObject({ size: 5, refills: 3 });
  pools.choose("node", { size: 50, refills: 3 });
  expect(pools.get("node").size).toBe(6);
  expect(store.saved.get("node")).toMatchObject({ size: "auto", min: 2, targetHit: 0.9, max: 6 });
  expect((await opened()).get("node")).toMatchObject({ size: 2, auto: { targetHit: 0.9, min: 2 } });
});

test("a fixed size ends it, and what was chosen has no effect any more", async () => {
  await pools.set("node", { size: "auto", min: 2 });
  pools.choose("node", { size: 5, refills: 3 });
  await pools.set("node", { size: 3 });
  expect(pools.get("node")).toMatchObject({ size: 3, auto: null });
  expect(store.saved.get("node")).not.toHaveProperty("min");
});

test("fields that are left out stay", async () => {
  await pools.set("node", { size: "auto", min: 2, targetHit: 0.9 });
  await pools.set("node", { max: 9 });
  await pools.set("node", { min: 3 });
  expect(pools.get("node")).toMatchObject({ max: 9, auto: { targetHit: 0.9, min: 3 } });
});

describe("contradictions are refused, and nothing changes", () => {
  test.each([
    ["min above max", { size: "auto", min: 7 }, "min", "min: 7 is above max 6"],
    ["max below min", { size: "auto", min: 3, max: 2 }, "min", "min: 3 is above max 2"],
    ["a target that cannot be met", { size: "auto", targetHit: 1 }, "targetHit", "targetHit: 1 is not between 0.5 and 0.9999"],
    ["a target that is no number", { size: "auto", targetHit: Number.NaN }, "targetHit", "targetHit: NaN is not between"],
    ["a target of a fixed size", { size: 4, targetHit: 0.9 }, "targetHit", "targetHit: it applies to size auto alone, and the size is 4"],
    ["a least size of a fixed size", { min: 1 }, "min", "min: it applies to size auto alone, and the size is 2"],
  ] as const)("%s", async (_title, change, field, message) => {
    const error = await pools.set("node", change).catch((thrown: ManagerError) => thrown);
    expect(error).toBeInstanceOf(ManagerError);
    expect(error).toMatchObject({ code: "POOL_INVALID", field, message: expect.stringContaining(message) });
    expect(pools.get("node")).toEqual(POOL);
    expect(store.saved.size).toBe(0);
  });
});

describe("schedules", () => {
  const WORK = "Mon-Fri 08:00-19:00 Europe/Berlin=5";
  const NIGHT = "daily 22:00-06:00 UTC=3";
  const always = (instances: number) => [`daily 00:00-24:00 UTC=${instances}`];

  test("a change replaces the list, leaves it if it does not name it, and takes it away with an empty one", async () => {
    await pools.set("node", { warm: [WORK] });
    await pools.set("node", { paused: true });
    expect([pools.get("node").warm, (await opened()).get("node").warm]).toEqual([[WORK], [WORK]]);
    await pools.set("node", { warm: [NIGHT] });
    expect(pools.get("node").warm).toEqual([NIGHT]);
    await pools.set("node", { warm: [] });
    expect([pools.get("node").warm, store.saved.get("node")?.warm]).toEqual([undefined, undefined]);
  });

  test.each([
    ["more than max", { warm: [NIGHT, "Mon 08:00-09:00 UTC=7"] }, "warm.1", "keeps 7 instances, and max is 6: raise it"],
    ["a max below a schedule", { max: 4, warm: [WORK] }, "warm.0", "keeps 5 instances, and max is 4"],
    ["more than max, with size auto", { size: "auto", warm: always(7) }, "warm.0", "keeps 7 instances, and max is 6"],
    ["no schedule", { warm: ["Mon-Fri 08:00-19:00 Europe/Berln=5"] }, "warm.0", "did you mean Europe/Berlin?"],
  ] as const)("%s is refused, and nothing changes", async (_title, change, field, message) => {
    await expect(pools.set("node", change)).rejects.toMatchObject({ code: "SCHEDULE_INVALID", field, message: expect.stringContaining(message) });
    expect(pools.get("node")).toEqual(POOL);
    expect(store.saved.size).toBe(0);
  });

  test("max alone cannot be set below one that is stored", async () => {
    await pools.set("node", { warm: [WORK] });
    await expect(pools.set("node", { max: 4 })).rejects.toMatchObject({ code: "SCHEDULE_INVALID", field: "warm.0" });
  });

  test.each([
    ["a smaller size is raised", { size: 2 }, { size: 4, ownSize: 2 }],
    ["a larger one stays", { size: 5 }, { size: 5, ownSize: 5 }],
    ["so is the least size of one that sizes itself", { size: "auto", min: 1 }, { size: 4, ownSize: 1 }],
  ] as const)("in force, %s", async (_title, change, expected) => {
    await pools.set("node", { ...change, warm: always(4) });
    expect(pools.get("node")).toMatchObject({ ...expected, scheduled: { instances: 4, text: "the schedule daily 00:00-24:00 UTC" } });
    expect(store.saved.get("node")?.size).toBe(change.size);
  });

  test("one that this machine has no room for is capped, and the pool can still be changed otherwise", async () => {
    await pools.set("node", { warm: always(6) });
    const capped = await opened(4);
    expect(capped.get("node")).toMatchObject({ size: 4, max: 4, scheduled: { instances: 6 } });
    expect(await capped.set("node", { paused: true })).toMatchObject({ paused: true });
    expect(cappedInWords(capped.get("node"))).toEqual([expect.stringContaining("the schedule daily 00:00-24:00 UTC wants 6 free, and there is room for 4")]);
    expect(cappedInWords(pools.get("node"))).toEqual([]);
  });
});

describe("idleMemory", () => {
  const MIB = 2 ** 20;

  test("bounds the chosen size, and is stored as it was set", async () => {
    await pools.set("node", { size: "auto", min: 1, idleMemory: "288Mi" });
    pools.choose("node", { size: 5, refills: 3 });
    expect(pools.get("node")).toMatchObject({ size: 3, memory: { limit: 288 * MIB, instance: 96 * MIB, reserved: 0 } });
    await pools.set("node", { paused: true });
    expect(store.saved.get("node")).toMatchObject({ size: "auto", idleMemory: "288Mi" });
    const again = await opened();
    again.choose("node", { size: 5, refills: 3 });
    expect(again.get("node")).toMatchObject({ size: 3, idleMemory: 288 * MIB });
  });

  test("null takes it away", async () => {
    await pools.set("node", { idleMemory: "288Mi" });
    await pools.set("node", { idleMemory: null });
    expect(pools.get("node")).toEqual({ ...POOL, auto: null });
    expect(store.saved.get("node")).not.toHaveProperty("idleMemory");
  });

  test("minScale of functions takes its part", async () => {
    const made = new Pools(store, () => {}, { reserved: (runtime) => (runtime === "node" ? 192 * MIB : 0) });
    await made.load([POOL]);
    await made.set("node", { size: "auto", min: 1, idleMemory: "384Mi" });
    made.choose("node", { size: 5, refills: 3 });
    expect(made.get("node").size).toBe(2);
    expect(memoryInWords(made.get("node"))).toEqual([]);
    await made.set("node", { min: 3 });
    expect(made.get("node").size).toBe(3);
    expect(memoryInWords(made.get("node"))).toEqual([expect.stringContaining("min 3 takes 288Mi, minScale of functions 192Mi; these are kept")]);
  });

  test.each([
    [
      "a fixed size is raised as far as it fits",
      { size: 2 },
      "daily 00:00-24:00 UTC=6",
      { size: 4, ownSize: 2 },
      ["the schedule daily 00:00-24:00 UTC wants 6 free, idleMemory of 384Mi allows 4"],
    ],
    ["so is one that the pool chooses, whose decisions say so", { size: "auto" }, "daily 00:00-24:00 UTC=6", { size: 4, ownSize: 1 }, []],
    ["a schedule that fits is met", { size: 2 }, "daily 00:00-24:00 UTC=4", { size: 4, ownSize: 2 }, []],
  ] as const)("with a schedule, %s", async (_title, change, schedule, expected, problems) => {
    await pools.set("node", { ...change, warm: [schedule], idleMemory: "384Mi" });
    expect(pools.get("node")).toMatchObject(expected);
    expect(memoryInWords(pools.get("node"))).toEqual(problems);
  });

  test.each([
    ["no room for min", { size: "auto", min: 4, idleMemory: "383Mi" }, "idleMemory: 383Mi has no room for min 4, which takes 384Mi, 96Mi each"],
    ["no room for a fixed size", { size: 3, idleMemory: "0.25Gi" }, "idleMemory: 256Mi has no room for size 3, which takes 288Mi"],
    ["no amount", { idleMemory: "much" }, 'idleMemory: "much" is not an amount such as 4Gi'],
  ] as const)("%s is refused, and nothing changes", async (_title, change, message) => {
    await expect(pools.set("node", change)).rejects.toMatchObject({ code: "POOL_INVALID", field: "idleMemory", message: expect.stringContaining(message) });
    expect(() => pools.declare("node", change)).toThrow(message);
    expect(pools.get("node")).toEqual(POOL);
    expect(store.saved.size).toBe(0);
  });

  test("a stored one without room stays in force, and its pool can be paused", async () => {
    store.saved.set("node", { size: 4, idleMemory: "96Mi" });
    const again = await opened();
    expect(again.get("node")).toMatchObject({ size: 4, idleMemory: 96 * MIB });
    expect(memoryInWords(again.get("node"))).toEqual([expect.stringContaining("idleMemory of 96Mi is exceeded: size 4 takes 384Mi")]);
    expect(await again.set("node", { paused: true })).toMatchObject({ paused: true });
  });
});

test("the bounds are capped at this machine's capacity, as a fixed size is", async () => {
  await pools.set("node", { size: "auto", min: 5, max: 6 });
  expect((await opened(4)).get("node")).toMatchObject({ size: 4, max: 4, auto: { min: 4 } });
});
