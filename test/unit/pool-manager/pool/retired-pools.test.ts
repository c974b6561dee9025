import { expect, test } from "vitest";
import { SizeClasses } from "../../../../pool-manager/functions/manifest/size-classes.ts";
import { type PoolStore, Pools } from "../../../../pool-manager/pool/pools.ts";
import { retiredInWords } from "../../../../pool-manager/pool/publish/problems.ts";
import { POOL } from "../../../helpers/builders/world.ts";

const MIB = 2 ** 20;
const STORE: PoolStore = { load: async () => new Map(), save: async () => {} };

async function poolsOf(...sizes: number[]): Promise<Pools> {
  const pools = new Pools(STORE, () => {});
  await pools.load(new SizeClasses(192 * MIB, sizes).poolsOf(["node"]).map((offered) => ({ ...POOL, ...offered })));
  return pools;
}

const named = (pools: Pools) => pools.list().map(({ name, size, retired = false }) => [name, size, retired]);

test("a pool whose class is not declared is kept, empty, as long as it has instances", async () => {
  const pools = await poolsOf(1024 * MIB);
  pools.observe(new Set(["node", "node-1gi", "node-2gi"]));
  const declared = [
    ["node", 2, false],
    ["node-1gi", 2, false],
  ];
  expect(named(pools)).toEqual([...declared, ["node-2gi", 0, true]]);
  expect(retiredInWords(pools.get("node-2gi"))).toEqual([expect.stringContaining("node-2gi is not declared any more")]);
  pools.observe(new Set(["node"]));
  expect(named(pools)).toEqual(declared);
  expect(() => pools.get("node-2gi")).toThrow("there is no pool");
});

test("what belongs to another runtime or to nobody is not emptied", async () => {
  const pools = await poolsOf();
  pools.observe(new Set(["ruby", "ruby-2gi", "node-large", ""]));
  expect(named(pools)).toEqual([["node", 2, false]]);
});

test("a pool that is emptied cannot be changed", async () => {
  const pools = await poolsOf();
  pools.observe(new Set(["node-2gi"]));
  await expect(pools.set("node-2gi", { size: 3 })).rejects.toMatchObject({ code: "POOL_INVALID", message: expect.stringContaining("not declared any more") });
  expect(() => pools.declare("node-2gi", { size: 3 })).toThrow("not declared any more");
});

test("a free instance of a class counts with the class's memory", async () => {
  const pools = await poolsOf(1024 * MIB);
  await expect(pools.set("node-1gi", { size: 2, idleMemory: "1Gi" })).rejects.toThrow("1Gi has no room for size 2, which takes 2Gi, 1Gi each");
  expect((await pools.set("node", { size: 2, idleMemory: "1Gi" })).memory?.instance).toBe(96 * MIB);
  expect((await pools.set("node-1gi", { size: 1, idleMemory: "1Gi" })).memory?.instance).toBe(1024 * MIB);
});
