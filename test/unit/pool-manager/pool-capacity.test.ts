import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { capacityOf, type ManagerConfig } from "../../../pool-manager/config.ts";
import { Pools } from "../../../pool-manager/pool/pools.ts";
import { PoolFiles } from "../../../pool-manager/stores/files/pool-files.ts";
import { POOL } from "../../helpers/builders/world.ts";

const stateDir = () => mkdtempSync(join(tmpdir(), "berth-test-"));

/** The pools of a machine that holds so many instances, as a start finds them. */
async function started(dir: string, capacity: number | null): Promise<Pools> {
  const pools = new Pools(new PoolFiles(dir), () => {}, { capacity });
  await pools.load([POOL]);
  return pools;
}

const sizes = (pools: Pools) => [pools.get("node").size, pools.get("node").max];

test("a size that the machine does not hold is refused with the number that it does, and nothing is stored", async () => {
  const dir = stateDir();
  const pools = await started(dir, 10);
  const refused = { code: "POOL_TOO_LARGE", message: expect.stringContaining("room for 10") };
  await expect(pools.set("node", { size: 4728 })).rejects.toMatchObject({ ...refused, field: "size" });
  await expect(pools.set("node", { max: 11 })).rejects.toMatchObject({ ...refused, field: "max" });
  await pools.set("node", { size: 10 });
  expect([sizes(pools), sizes(await started(dir, 10))]).toEqual([
    [10, 10],
    [10, 10],
  ]);
});

test("a size that is forced is accepted, and is kept by a restart and by a pause", async () => {
  const dir = stateDir();
  await (await started(dir, 10)).set("node", { size: 12 }, true);
  const again = await started(dir, 10);
  await again.set("node", { paused: true });
  expect([sizes(await started(dir, 10)), again.capped]).toEqual([[12, 12], []]);
  await again.set("node", { size: 3, max: 8 });
  await expect(again.set("node", { size: 12 })).rejects.toMatchObject({ code: "POOL_TOO_LARGE" });
});

test("a size that was stored before does not overload the machine again, and is reported", async () => {
  const dir = stateDir();
  await (await started(dir, null)).set("node", { size: 4728 });
  const pools = await started(dir, 10);
  expect([sizes(pools), pools.capped.length, pools.capped[0]]).toEqual([[10, 10], 1, expect.stringContaining("size 4728")]);
  await pools.set("node", { paused: true });
});

test("a file with another value of the mark for forced sizes is no pool", async () => {
  const dir = stateDir();
  await (await started(dir, null)).set("node", { size: 2 });
  writeFileSync(join(dir, "pools/node.yaml"), "name: node\nsize: 5000\nmax: 5000\nforced: maybe\n");
  expect(sizes(await started(dir, 10))).toEqual([POOL.size, POOL.max]);
});

test("the capacity of a cluster is unknown, and a maximum that a start names is accepted", () => {
  const of = (kind: string, poolMax: number | null) => capacityOf({ poolMax, platform: { kind } } as unknown as ManagerConfig);
  expect([of("kruise", null), of("kruise", 7), of("local", 100_000)]).toEqual([null, null, 100_000]);
  expect(of("local", null)).toBeGreaterThanOrEqual(4);
});
