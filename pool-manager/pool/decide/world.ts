import type { InstanceState } from "../../../runtime-images/protocol/messages.ts";
import type { StartKind } from "../../client/contract.ts";
import type { FunctionEnd } from "../../functions/retention.ts";
import type { Obstacle } from "../../platform/platform.ts";

/** Most disruptive actions (deletions and in-place changes) on a pool within a window. */
export interface Budget {
  actions: number;
  windowMs: number;
}

export interface PoolSpec {
  name: string;
  runtime: string;
  /** Instances kept free. */
  size: number;
  /** All instances of the pool. */
  max: number;
  budget: Budget;
  /** Percent of the instances that keep a former version of the runtime; the others are replaced. */
  partition: number;
  /** Nothing is deleted and nothing changed in place, whatever is observed: somebody has to look first. */
  paused: boolean;
}

/** A served revision of a function. */
export interface RevisionTarget {
  /** Of its demand; see `servedKey`. */
  key: string;
  uid: string;
  /** Instances of revisions that are not served any more become the active one's. */
  active: boolean;
  pool: string;
  revision: string;
  concurrency: number;
  minScale: number;
  maxScale: number;
  idleTimeoutMs: number;
  timeoutMs: number;
  /** Until then no instance is specialized for it: its code failed to load. 0: it may be. */
  blockedUntil: number;
  /** Its share of the function's instances, which change in place, so many at a time; null: it takes none. */
  takesOver: { percent: number; parallel: number } | null;
  /** Somebody waits to see it loaded: its first instance is as urgent as one that an invocation waits for. */
  isAwaited: boolean;
}

/** One instance, its echo, and what we have asked of it and not yet observed. */
export interface InstanceView {
  uid: string;
  pool: string;
  resourceVersion: string;
  bootId: string;
  epoch: number;
  state: InstanceState;
  functionUid: string | null;
  revision: string | null;
  /** What the platform records; null when it is unbound. */
  boundTo: string | null;
  boundRevision: string | null;
  /** A bind was sent and is not answered yet. */
  binding: boolean;
  createdAt: number;
  /** When this pool manager first saw it: no age that decides counts from before. */
  seenAt: number;
  /** When its runtime was first seen to run; null: it was not yet. */
  runningSince: number | null;
  readyAt: number;
  /** When its last load order was decided; 0 before. */
  specializedAt: number;
  /** When an invocation last began or ended on it, or when it was specialized. */
  lastUsedAt: number;
  inFlight: number;
  /** A router that may use it is not heard: whether it is idle is not known. */
  unsure: boolean;
  /** A router could not use it. */
  suspect: boolean;
  /** Why it cannot serve now; null: nothing is known to be in the way. */
  obstacle: Obstacle | null;
  /** A fresh one is to take its place. */
  replace: "version" | "node" | null;
  /** A removal was decided: it counts as alive, but not as capacity. */
  removing: boolean;
  /** Its removal was decided before, and counted, but the instance could not be told: it is decided anew. */
  refused: boolean;
  /** The platform is deleting it. */
  deleting: boolean;
}

export interface DemandView {
  waiting: number;
  inFlight: number;
  oldestWaitMs: number;
}

export interface World {
  now: number;
  /** False: platform or registry are not completely known. Nothing is decided then. */
  synced: boolean;
  pools: readonly PoolSpec[];
  functions: readonly RevisionTarget[];
  /** Functions that instances belong to and that are not known, and what is known of their end. */
  unknownFunctions: ReadonlyMap<string, FunctionEnd | "unproven">;
  instances: readonly InstanceView[];
  demand: ReadonlyMap<string, DemandView>;
  /** No router is heard and no instance answers: it is the pool manager itself that is cut off. */
  isolated: boolean;
  /** Instances that were asked for and are not observed yet, by pool. */
  expectedCreations: ReadonlyMap<string, number>;
  /** Disruptive actions in each pool's current window. */
  disruptions: ReadonlyMap<string, number>;
  pace: Pace;
}

/** How fast instances are created. */
export interface Pace {
  /** Starting at once while invocations wait for one. */
  urgent: number;
  /** Starting at once to refill the pool. */
  refill: number;
  /** A refill waits this long after the last specialization: creating a process blocks the event loop. Milliseconds. */
  refillDelayMs: number;
  /**
   * While invocations wait for instances, the platform's record of those that serve already may wait this long: on a
   * cluster it is a swap, which competes with what they wait for. Milliseconds.
   */
  bindDelayMs: number;
  /** No record is written within this time of the load order: it would compete with the load. Milliseconds. */
  bindAfterMs: number;
  /** An instance that runs and has not become prewarmed by then is given up. Milliseconds. */
  startTimeoutMs: number;
  /** A free instance that was reachable and has not been for this long is no longer counted as one. Milliseconds. */
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
  /** `more`: instances that shall come beside those that were seen; `create` of them are asked for the first time. */
  | { kind: "scale"; pool: string; seen: ReadonlySet<string>; more: number; create: number }
  | { kind: "remove"; instance: InstanceView; reason: RemoveReason; drainMs: number };

export interface Decision {
  actions: Action[];
  /** Pools whose budget held actions back. */
  throttled: string[];
  /** Milliseconds after which something will be due though nothing changes; null: nothing is known to be. */
  recheckAfterMs: number | null;
}
