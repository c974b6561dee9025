import type { PoolSpec } from "./decide/world.ts";

/** The pool that is kept without functions too: the first function finds it filled. */
const ALWAYS = "node";

/** Whether a pool is filled. That of a language or of a size class which no function uses is not, since its idle instances would take memory for nothing. */
export function isUsed({ name }: PoolSpec, functions: { uses(pool: string): boolean }): boolean {
  return name === ALWAYS || functions.uses(name);
}

/** Pools as they are kept. */
export function usedPools(pools: readonly PoolSpec[], functions: { uses(pool: string): boolean }): PoolSpec[] {
  return pools.map((pool) => (isUsed(pool, functions) ? pool : { ...pool, size: 0 }));
}
