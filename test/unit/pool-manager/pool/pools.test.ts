import { beforeEach, describe, expect, test } from "vitest";
import { ManagerError } from "../../../../pool-manager/errors.ts";
import type { PoolSpec } from "../../../../pool-manager/pool/decide/world.ts";
import { declarationOf, type PoolChange, type PoolStore, Pools } from "../../../../pool-manager/pool/pools.ts";
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
  const made = new Pools(store, () => {}, capacity);
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

test("the bounds are capped at this machine's capacity, as a fixed size is", async () => {
  await pools.set("node", { size: "auto", min: 5, max: 6 });
  expect((await opened(4)).get("node")).toMatchObject({ size: 4, max: 4, auto: { min: 4 } });
});
