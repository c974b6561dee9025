import type { SizeClasses } from "../../../pool-manager/functions/manifest/size-classes.ts";
import type { PoolSpec } from "../../../pool-manager/pool/decide/world.ts";
import type { PoolEventListener } from "../../../pool-manager/pool/events.ts";
import type { ReconcilerOptions } from "../../../pool-manager/pool/options.ts";
import { PoolSizer } from "../../../pool-manager/pool/pool-sizer.ts";
import type { VirtualTime } from "../time.ts";

/** Every so many seeds the pool sizes itself. */
const AUTO_EVERY = 3;
/** A pool that sizes itself lives hours in the seconds of a simulation. */
const WALL_FACTOR = 300;

/** The pools of these classes; those of size classes are as large as the base pool. */
export function simulatedPools(time: VirtualTime, seed: number, classes: SizeClasses): PoolSpec[] {
  const pool = simulatedPool(time, seed);
  return classes.poolsOf(["node"]).map((offered) => ({ ...pool, ...offered }));
}

function simulatedPool(time: VirtualTime, seed: number): PoolSpec {
  const size = Math.floor(time.between(1, 4));
  const max = Math.floor(time.between(5, 9));
  const auto = seed % AUTO_EVERY === 0 ? { targetHit: 0.95, min: size } : null;
  return { name: "node", runtime: "node", size, max, budget: { actions: 6, windowMs: 1000 }, partition: 0, paused: false, auto };
}

/** The options by which a pool manager's reconciler sizes the pools. A later pool manager begins with the size of the last one and without its record. */
export function sizing(pools: PoolSpec[], time: VirtualTime, { pace, onEvent }: { pace: ReconcilerOptions["pace"]; onEvent: PoolEventListener }) {
  const choose = (name: string, chosen: { size: number; refills: number }) => void Object.assign(pools.find((pool) => pool.name === name) ?? {}, chosen);
  const sizer = new PoolSizer({ pools: { list: () => pools, choose }, pace, wall: () => time.now() * WALL_FACTOR, onEvent });
  return {
    pace,
    pools: { list: () => pools },
    onEvent: (event: Parameters<PoolEventListener>[0]) => {
      sizer.heard(event);
      onEvent(event);
    },
    onDecided: sizer.observe.bind(sizer),
  };
}
