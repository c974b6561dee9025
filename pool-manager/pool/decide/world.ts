import type { InstanceState } from "../../../runtime-images/protocol/messages.ts";
import type { StartKind } from "../../client/contract.ts";
import type { WindowScaling } from "../../functions/function.ts";
import type { FunctionEnd } from "../../functions/retention.ts";
import type { Obstacle } from "../../platform/platform.ts";
import type { ActiveSchedule } from "../../schedules/active.ts";
import type { IdleMemory } from "../memory/idle-memory.ts";

/** The maximum number of disruptive actions (deletions and in-place changes) on a pool within a window. */
export interface Budget {
  actions: number;
  windowMs: number;
}

/** How a pool sizes itself. */
export interface AutoSize {
  /** Share of the claims that find a free instance, between 0.5 and 0.9999. */
  targetHit: number;
  /** The least size. */
  min: number;
}

export interface PoolSpec {
  name: string;
  runtime: string;
  /** The most memory of a function whose instances are this pool's, in bytes; absent: the runtime's base pool. */
  sizeClass?: number;
  /** True for a pool whose size class is not declared any more: it is emptied, and its functions take instances elsewhere. */
  retired?: boolean;
  /** Instances kept free; of a pool that sizes itself, those chosen last. */
  size: number;
  /** The bounds within which the pool sizes itself; absent or null: its size is fixed. */
  auto?: AutoSize | null;
  /** Schedules that raise the size, as they were set. */
  warm?: readonly string[];
  /** The schedule in force, which `size` includes, and the size without it; absent: none is. */
  scheduled?: ActiveSchedule;
  ownSize?: number;
  /** Concurrent refills that the claims need; absent: the pace's. */
  refills?: number;
  /** Limit on all instances of the pool, free or not. */
  max: number;
  /** Bytes that instances without an invocation may take together, as it was set; absent: any. */
  idleMemory?: number;
  /** The limit with the part of it that is taken in any case; absent: there is no limit. */
  memory?: IdleMemory;
  budget: Budget;
  /** Percentage of the instances that keep a previous version of the runtime; the others are replaced. */
  partition: number;
  /** While true, nothing is deleted or changed in place, whatever is observed: an operator must investigate first. */
  paused: boolean;
}

/** A served revision of a function. */
export interface RevisionTarget {
  /** Key of its demand; see `servedKey`. */
  key: string;
  uid: string;
  /** True for the function's active revision. Instances of retired revisions are counted as its own. */
  active: boolean;
  pool: string;
  revision: string;
  concurrency: number;
  minScale: number;
  /** Instances of `minScale` that a schedule adds; absent: none. */
  scheduled?: number;
  /** Memory limit of an instance in bytes; absent: none. */
  memoryBytes?: number;
  maxScale: number;
  idleTimeoutMs: number;
  /** An invocation is expected: an instance is kept for it, unless others wait for its place. */
  isExpected?: boolean;
  /** Null: it scales by the present demand. */
  windowScaling: WindowScaling | null;
  timeoutMs: number;
  /** Time until which no instance is specialized for it, because its code failed to load or crashes; 0 if there is no backoff. */
  blockedUntil: number;
  /** Its share of the function's instances in a rollout; `parallel` of them change at a time. `minScale` is the function's own. Null outside a rollout. */
  takesOver: { percent: number; parallel: number; minScale: number } | null;
  /** A caller or a rollout waits for its first load: its first instance is as urgent as one that an invocation waits for. */
  isAwaited: boolean;
  /**
   * Whether the function is an image, or was one: its program runs where the platform puts the image, so that an instance is
   * bound at once, and a new revision gets instances of its own.
   */
  byImage: boolean;
}

/** One instance: its echo, and the pool manager's own writes that are not yet observed. */
export interface InstanceView {
  uid: string;
  pool: string;
  resourceVersion: string;
  bootId: string;
  epoch: number;
  state: InstanceState;
  functionUid: string | null;
  revision: string | null;
  /** Uid of the function that the platform records for it; null if it is unbound. */
  boundTo: string | null;
  boundRevision: string | null;
  /** A bind is in flight. */
  binding: boolean;
  /** Its last load order is not in its echo yet. */
  ordering: boolean;
  createdAt: number;
  /** When this pool manager first observed it. Ages that decisions depend on start here. */
  seenAt: number;
  /** When its runtime was first observed running; null if it has not been. */
  runningSince: number | null;
  readyAt: number;
  /** When its last load order was decided; 0 if there was none. */
  specializedAt: number;
  /** When an invocation last began or ended on it, or when it was specialized. */
  lastUsedAt: number;
  inFlight: number;
  /** A router that may be using it is silent, so that the instance cannot be assumed idle. */
  unsure: boolean;
  /** A router reported that it could not use it. */
  suspect: boolean;
  /** Why it cannot serve now; null if no reason is known. */
  obstacle: Obstacle | null;
  /** Why it must be replaced by a new instance; null if it need not be. */
  replace: "version" | "node" | null;
  /** Its removal was decided: it counts towards `max`, but not as capacity. */
  removing: boolean;
  /** Its removal was decided and charged to the budget, but its drain failed: the removal is decided anew. */
  refused: boolean;
  /** The platform is deleting it. */
  deleting: boolean;
}

export interface DemandView {
  waiting: number;
  inFlight: number;
  oldestWaitMs: number;
}

/** The wish of a revision's windows, and the averages that it follows from. */
export interface WindowScale {
  /** Average concurrency over the window. */
  stable: number;
  /** Average concurrency over the window's last tenth. */
  panic: number;
  panicking: boolean;
  /** Instances that the windows want, without `minScale` and `maxScale`. */
  wanted: number;
  /** The most instances that it may have next, for waiting invocations too. */
  most: number;
  /** How long an instance must have been idle to be removed: the panic window, or for ever until a whole window is known. */
  idleForMs: number;
}

export interface World {
  now: number;
  /** False while the platform's or the registry's state is incomplete: then nothing is decided. */
  synced: boolean;
  pools: readonly PoolSpec[];
  functions: readonly RevisionTarget[];
  /** Functions that instances belong to and the registry does not know, and what is known of their end. */
  unknownFunctions: ReadonlyMap<string, FunctionEnd | "unproven">;
  instances: readonly InstanceView[];
  demand: ReadonlyMap<string, DemandView>;
  /** By key, of revisions with `windowScaling`; one without an entry scales by the present demand. */
  windowScales: ReadonlyMap<string, WindowScale>;
  /** No router reports and no instance answers: the pool manager itself is presumed cut off. */
  isolated: boolean;
  /** Instances that were requested and are not yet observed, by pool. */
  expectedCreations: ReadonlyMap<string, number>;
  /** Disruptive actions in each pool's current window. */
  disruptions: ReadonlyMap<string, number>;
  pace: Pace;
}

/** How fast instances are created. */
export interface Pace {
  /** Maximum number of instances that start concurrently while invocations wait for one. */
  urgent: number;
  /** Maximum number of instances that start concurrently to refill the pool. */
  refill: number;
  /** Delay of a refill after the last specialization: creating a process blocks the event loop. */
  refillDelayMs: number;
  /**
   * How long the platform's records of serving instances may be delayed while invocations wait for others: on a cluster,
   * writing one is a swap, which competes with the instances that are starting.
   */
  bindDelayMs: number;
  /** Minimum time between a load order and the write of its record: an earlier write would compete with the load. */
  bindAfterMs: number;
  /** An instance that is running but not prewarmed after this time is given up. */
  startTimeoutMs: number;
  /** A free instance that has been unreachable for this long no longer counts as free. */
  lostAfterMs: number;
}

export type RemoveReason =
  | "failed"
  | "suspect"
  | "start-timeout"
  | "unreachable"
  | "deleted-function"
  | "orphaned"
  | "misbound"
  | "drained"
  | "replaced"
  | "idle"
  | "scaled-down"
  | "idle-memory"
  | "above-max-scale"
  | "reaped"
  | "pool-shrunk";

export type Action =
  | {
      kind: "specialize";
      instance: InstanceView;
      functionUid: string;
      revision: string;
      start: StartKind;
    }
  | { kind: "bind"; instance: InstanceView; functionUid: string; revision: string }
  /** `more`: how many instances must exist in addition to `seen`; `create` of them are requested for the first time. */
  | { kind: "scale"; pool: string; seen: ReadonlySet<string>; more: number; create: number }
  | { kind: "remove"; instance: InstanceView; reason: RemoveReason; drainMs: number };

/** Instances that a function lacks and that no free one could serve. */
export interface Unmet {
  pool: string;
  functionUid: string;
  missing: number;
}

export interface Decision {
  actions: Action[];
  /** Instances that are missing after the actions. */
  unmet: Unmet[];
  /** Pools whose budget delayed actions. */
  throttled: string[];
  /** Delay after which a further decision is due even without a change; null if none is known. */
  recheckAfterMs: number | null;
}
