import type { Decision, PoolSpec, World } from "../../pool-manager/pool/decide/world.ts";
import { INSTANCE_BYTES } from "../../pool-manager/pool/memory/idle-memory.ts";
import { POOL, type Speeds } from "./fleet.ts";

export interface ReplayOptions extends Speeds {
  /** Simultaneous invocations of an instance. */
  concurrency: number;
  /** Instances kept free; auto: as the pool chooses. */
  size: number | "auto";
  /** Most instances. */
  max: number;
  /** Bytes that instances without an invocation may take; absent: any. */
  idleMemory?: number;
  /** Called after each decision with what it saw. */
  onDecided?(world: World, decision: Decision): void;
}

/** The pool that functions of a trace use. */
export function poolOf({ size, max, idleMemory }: Pick<ReplayOptions, "size" | "max" | "idleMemory">): PoolSpec {
  const budget = { actions: Math.max(10, Math.ceil(max / 10)), windowMs: 1000 };
  const memory = idleMemory !== undefined && { memory: { limit: idleMemory, instance: INSTANCE_BYTES, reserved: 0 } };
  const base = { name: POOL, runtime: POOL, max, budget, partition: 0, paused: false, ...memory };
  return size === "auto" ? { ...base, size: 1, auto: { targetHit: 0.99, min: 1 } } : { ...base, size };
}
