import type { PoolSpec } from "./decide/world.ts";

/** The runtime whose pool is kept without functions too: the first function finds it filled. */
const ALWAYS = "node";

/** Whether a pool is filled. That of a language which no function uses is not, since its idle instances would take memory for nothing. */
export function isUsed({ runtime }: PoolSpec, functions: { uses(runtime: string): boolean }): boolean {
  return runtime === ALWAYS || functions.uses(runtime);
}

/** Pools as they are kept. */
export function usedPools(pools: readonly PoolSpec[], functions: { uses(runtime: string): boolean }): PoolSpec[] {
  return pools.map((pool) => (isUsed(pool, functions) ? pool : { ...pool, size: 0 }));
}
