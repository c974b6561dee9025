import { availableParallelism, totalmem } from "node:os";
import type { ApiKeys } from "./client/api-keys.ts";
import type { RetentionLimits } from "./functions/retention.ts";
import type { PlatformConfig } from "./platform/create.ts";
import type { Pace, PoolSpec } from "./pool/decide/world.ts";

export interface ManagerConfig {
  /** Everything that survives a restart lies here. */
  stateDir: string;
  host: string;
  /** 0: any free port. */
  port: number;
  poolSize: number;
  /** Null: as many as half of the machine's memory holds; on a cluster `CLUSTER_MAX`. */
  poolMax: number | null;
  maxCodeBytes: number;
  /** How long what nothing refers to is kept; what is left out is as by default. */
  retention: Partial<RetentionLimits>;
  platform: PlatformConfig;
  /** Redis that keeps the last table for routers, and the namespace that it is of; null: none. */
  redis: { url: string; namespace: string } | null;
  /** Who may use the manage API; null: everybody on this machine. */
  keys: ApiKeys | null;
  version: string;
  /** Address that others reach the manage API at; null: the listener's own. */
  advertise: string | null;
  /** On a cluster: another pool manager leads now. This one has to end. */
  onLost(message: string): void;
}

/** A warm instance is taken to need this much, in bytes. */
const INSTANCE_BYTES = 96 * 1024 * 1024;

/** Instances that any machine is taken to hold. */
const LEAST_MAX = 4;

/** The machine that a pool manager happens to run on says nothing of the cluster's size, and the next leader's says something else. */
const CLUSTER_MAX = 100;

/** Memory that this machine, or the container that it runs in, has. Bytes. */
function memory(): number {
  // Without a limit it is 0, or more than there is.
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** Most instances of a pool that can run here; null: the machine that this runs on says nothing of it. A start that names a larger one is believed. */
export function capacityOf(config: ManagerConfig): number | null {
  if (config.platform.kind === "kruise") return null;
  return Math.max(Math.floor(memory() / INSTANCE_BYTES), LEAST_MAX, config.poolMax ?? 0);
}

/** The pools that exist without having been set. */
export function defaultPools(config: ManagerConfig, runtimes: readonly string[]): PoolSpec[] {
  const fits = Math.floor(memory() / 2 / INSTANCE_BYTES);
  const max = config.poolMax ?? (config.platform.kind === "kruise" ? CLUSTER_MAX : Math.min(Math.max(fits, LEAST_MAX), 500));
  const size = Math.min(config.poolSize, max);
  return runtimes.map((runtime) => ({
    name: runtime,
    runtime,
    size,
    max,
    budget: { actions: Math.max(10, Math.ceil(max / 10)), windowMs: 1000 },
    partition: 0,
    paused: false,
  }));
}

/** Instances that may start at once: creating one keeps a core of the machine busy; of a cluster, one of some node. */
export function defaultPace(config: PlatformConfig): Pace {
  if (config.kind === "kruise") return { urgent: 20, refill: 1, refillDelayMs: 250, startTimeoutMs: 60_000, lostAfterMs: 5000, ...bindPace(config.loadPath) };
  return {
    urgent: Math.max(2, availableParallelism()),
    refill: 1,
    refillDelayMs: 60,
    startTimeoutMs: 30_000,
    lostAfterMs: 5000,
    bindDelayMs: 0,
    bindAfterMs: 0,
  };
}

/** A bind is a swap: what is loaded by it cannot wait, what was loaded inline need not compete with it. */
function bindPace(loadPath: "inline" | "image"): Pick<Pace, "bindDelayMs" | "bindAfterMs"> {
  return loadPath === "inline" ? { bindDelayMs: 30_000, bindAfterMs: 300 } : { bindDelayMs: 0, bindAfterMs: 0 };
}
