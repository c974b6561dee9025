import { expect, test } from "vitest";
import type { PoolSpec } from "../../../../pool-manager/pool/decide/world.ts";
import { usedPools } from "../../../../pool-manager/pool/used-pools.ts";

const pool = (name: string): PoolSpec => ({ name, runtime: name, size: 3, max: 9, budget: { actions: 1, windowMs: 1 }, partition: 0, paused: false });

test("the pool of a language is filled once a function uses it, and that of node always", () => {
  const pools = [pool("node"), pool("python")];
  const sizes = (used: string[]) => usedPools(pools, { uses: (runtime) => used.includes(runtime) }).map(({ size }) => size);
  expect([sizes([]), sizes(["python"])]).toEqual([
    [3, 0],
    [3, 3],
  ]);
});
