import { availableParallelism, totalmem } from "node:os";
import type { Registry } from "prom-client";
import type { ApiKeys } from "./client/api-keys.ts";
import type { LogEntry } from "./functions/logs.ts";
import { NO_CLASSES } from "./functions/manifest/size-classes.ts";
import type { RetentionLimits } from "./functions/retention.ts";
import type { PlatformConfig } from "./platform/create.ts";
import type { Pace, PoolSpec } from "./pool/decide/world.ts";
import { INSTANCE_BYTES } from "./pool/memory/idle-memory.ts";

/** A receiver of functions' output, as it comes. */
export interface FunctionLines {
  /** Its own metrics, which /metrics shows. */
  registry: Registry;
  /** `fn`: the function's name, or its uid once it is deleted. Must not throw or block. */
  line(fn: string, entry: LogEntry): void;
}

export interface ManagerConfig {
  /** Directory of everything that survives a restart. */
  stateDir: string;
  host: string;
  /** 0 for any free port. */
  port: number;
  poolSize: number;
  /** Null for as many instances as fit into half of the machine's memory, or for `CLUSTER_MAX` on a cluster. */
  poolMax: number | null;
  maxCodeBytes: number;
  /** How long unreferenced objects are kept; fields left out have their defaults. */
  retention: Partial<RetentionLimits>;
  platform: PlatformConfig;
  /** Redis that stores the last table for routers, and the namespace of its keys; null for none. */
  redis: { url: string; namespace: string } | null;
  /** Keys of the manage API; null if everybody on this machine may use it. */
  keys: ApiKeys | null;
  version: string;
  /** URL at which clients reach the routers, without a query; null: that of its own router, if it has one. */
  invokeUrl: string | null;
  /** Receives functions' output as it comes; null: nobody does. */
  functionLines: FunctionLines | null;
  /** Address at which others reach the manage API; null for the listener's own. */
  advertise: string | null;
  /** Called on a cluster when another pool manager leads: this one must end. */
  onLost(message: string): void;
}

/** Assumed memory of an instance. */
export const INSTANCE_MB = INSTANCE_BYTES / 2 ** 20;

/** Minimum number of instances that any machine is assumed to hold. */
const LEAST_MAX = 4;

/** Default `max` on a cluster, where the pool manager's own machine says nothing of the cluster's size and differs between leaders. */
const CLUSTER_MAX = 100;

/** Memory of this machine or its container in bytes. */
function memory(): number {
  // Without a limit, it is 0 or more than the machine has.
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** Maximum number of instances of a pool that this machine can run; null on a cluster. A larger `poolMax` overrides it. */
export function capacityOf(config: ManagerConfig): number | null {
  if (config.platform.kind === "kruise") return null;
  return Math.max(Math.floor(memory() / INSTANCE_BYTES), LEAST_MAX, config.poolMax ?? 0);
}

/** The default pools: one per runtime, and one per runtime and size class, which keeps one instance free, since each reserves its whole memory. */
export function defaultPools(config: ManagerConfig, runtimes: readonly string[], classes = NO_CLASSES): PoolSpec[] {
  const fits = Math.floor(memory() / 2 / INSTANCE_BYTES);
  const max = config.poolMax ?? (config.platform.kind === "kruise" ? CLUSTER_MAX : Math.min(Math.max(fits, LEAST_MAX), 500));
  const size = Math.min(config.poolSize, max);
  return classes.poolsOf(runtimes).map((pool) => ({
    ...pool,
    size: pool.sizeClass === undefined ? size : Math.min(size, 1),
    max,
    budget: { actions: Math.max(10, Math.ceil(max / 10)), windowMs: 1000 },
    partition: 0,
    paused: false,
  }));
}

/** Default pace: creating an instance keeps a core busy, of this machine or of a node of the cluster. */
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

/** A bind is a swap. With the load path `image` it loads the code and cannot wait; with `inline` it is delayed, so as not to compete with the load. */
function bindPace(loadPath: "inline" | "image"): Pick<Pace, "bindDelayMs" | "bindAfterMs"> {
  return loadPath === "inline" ? { bindDelayMs: 30_000, bindAfterMs: 300 } : { bindDelayMs: 0, bindAfterMs: 0 };
}
