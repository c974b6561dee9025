import type { InstanceView, Pace, PoolSpec } from "./world.ts";

/**
 * Which instances may be replaced by fresh ones now. Those on a node that is being drained: all, many at a time. Those of
 * a former runtime version: free ones first, then one of a function at a time, and the pool's `partition` of them stays.
 */
export interface Renewal {
  isStale(instance: InstanceView): boolean;
  /** Most instances of functions that are replaced at once. */
  parallel: number;
}

export function renewalOf(pool: PoolSpec, alive: readonly InstanceView[], pace: Pace): Renewal {
  const former = alive.filter(({ replace, removing }) => replace === "version" && !removing);
  const mayGo = former.length - Math.ceil((alive.length * pool.partition) / 100);
  const onNodes = alive.some(({ replace }) => replace === "node");
  const freeFirst = former.some(({ functionUid, boundTo }) => functionUid === null && boundTo === null);
  const isStale = ({ replace, functionUid }: InstanceView) => {
    if (pool.paused || replace === null) return false;
    return replace === "node" || (mayGo > 0 && (functionUid === null || !freeFirst));
  };
  return { isStale, parallel: onNodes ? pace.urgent : 1 };
}
