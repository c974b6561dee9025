import type { InstanceView, Pace, PoolSpec } from "./world.ts";

/**
 * The instances that may be replaced now. Those on a draining node: all, several at a time. Those of a previous runtime
 * version: free ones first, then one per function at a time, until only the pool's `partition` of them is left.
 */
export interface Renewal {
  isStale(instance: InstanceView): boolean;
  /** Maximum number of functions' instances that are being replaced at a time. */
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
