import { runtimeOfClass } from "../functions/manifest/size-classes.ts";
import type { PoolSpec } from "./decide/world.ts";

/**
 * Pools of size classes that are not declared any more, as long as instances of them are observed. They are emptied within
 * their budget. Observed instances name them, not a stored setting: no instance is left behind whose setting is lost.
 */
export class RetiredPools {
  #pools: readonly PoolSpec[] = [];

  /** `populated`: the pools that have instances. `offered`: those that are declared, with their default settings. */
  observe(populated: ReadonlySet<string>, offered: ReadonlyMap<string, PoolSpec>): void {
    if (this.#pools.length === 0 && [...populated].every((name) => offered.has(name))) return;
    const runtimes = [...offered.values()].flatMap(({ runtime, sizeClass }) => (sizeClass === undefined ? runtime : []));
    this.#pools = [...populated].sort().flatMap((name) => {
      const runtime = offered.has(name) ? null : runtimeOfClass(name, runtimes);
      const base = runtime === null ? undefined : offered.get(runtime);
      // A runtime that is not offered here is another pool manager's to keep.
      return base ? { ...base, name, size: 0, retired: true } : [];
    });
  }

  list(): readonly PoolSpec[] {
    return this.#pools;
  }
}
