import { availableParallelism, totalmem } from "node:os";
import type { PoolSpec } from "./pool/state.ts";

export interface ManagerConfig {
  /** Everything that survives a restart lies here. */
  stateDir: string;
  host: string;
  /** 0: any free port. */
  port: number;
  poolSize: number;
  /** Null: as many as half of the machine's memory holds. */
  poolMax: number | null;
  maxCodeBytes: number;
  version: string;
}

/** A warm instance is taken to need this much, in bytes. */
const INSTANCE_BYTES = 96 * 1024 * 1024;

/** The pools that exist without having been set. */
export function defaultPools(config: ManagerConfig, runtimes: readonly string[]): PoolSpec[] {
  const fits = Math.floor(totalmem() / 2 / INSTANCE_BYTES);
  const max = config.poolMax ?? Math.min(Math.max(fits, 4), 500);
  const size = Math.min(config.poolSize, max);
  return runtimes.map((runtime) => ({
    name: runtime,
    runtime,
    size,
    max,
    budget: { actions: Math.max(10, Math.ceil(max / 10)), windowMs: 1000 },
  }));
}

/** Instances that may start at once: creating one keeps a core busy. */
export function defaultPace() {
  return { urgent: Math.max(2, availableParallelism()), refill: 1, refillDelayMs: 60, startTimeoutMs: 30_000 };
}
