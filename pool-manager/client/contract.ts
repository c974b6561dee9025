/**
 * The contract between router and pool manager: the table that the router receives, and the demand that it reports.
 * In embedded mode the link is a pair of function calls; on a cluster the same messages are streamed.
 */

/** Carries a router's id when it registers. A web page cannot send it to another site: it would need a CORS preflight, which the manage API never grants. */
export const ROUTER_HEADER = "x-berth-router";

/** How an invocation got its instance. `prewarmed`: a pool instance was specialized; `cold`: an instance was created. */
export type StartKind = "warm" | "prewarmed" | "cold";

/** A worker of an instance that accepts invocations of one revision. */
export interface Endpoint {
  instanceUid: string;
  bootId: string;
  epoch: number;
  host: string;
  port: number;
  /** The `x-berth-key` that requests to it must carry; null if none. */
  key: string | null;
  revision: string;
  /** False while the code loads: invocations may be sent, and the instance parks them. */
  loaded: boolean;
  /** Start kind of an invocation that waited for this endpoint. */
  start: StartKind;
  /** Time from the decision to the accepted load order. */
  claimMs: number;
}

/** Why a function's instances cannot be started now. */
export interface LoadFailure {
  reason: "load" | "timeout" | "memory" | "crash" | "runtime";
  /** The function's own error text; of `runtime` the reason for which this Berth has none for it. */
  message: string;
  /** Instance that failed; invocations sent to it are answered with this failure. Empty: no instance was started. */
  instanceUid: string;
  /** Time until the next retry; `runtime` is not retried. */
  retryAfterMs: number;
}

/** A served revision: a function's active one, or another with a share of its invocations or an alias. */
export interface TableFunction {
  /** Key of its instances and its queue: the function's uid, or `UID@REVISION` for a revision that is not active. */
  key: string;
  uid: string;
  /** `NAME`, or `NAME@REVISION` for a revision that is not active. */
  name: string;
  revision: string;
  /** Shares of the other revisions in the function's invocations; empty unless this is the active revision. */
  split: { revision: string; percent: number }[];
  /** Revision by alias; empty unless this is the active revision. */
  aliases: Record<string, string>;
  concurrency: number;
  timeoutMs: number;
  loadTimeoutMs: number;
  queueDepth: number;
  queueTimeoutMs: number;
  endpoints: Endpoint[];
  failure: LoadFailure | null;
  /** Why the pool can get no further instance now, in the platform's words; null if no reason is known. */
  blocked: string | null;
  /** Recent average time to start an instance; the Retry-After of a full queue. */
  expectedStartMs: number;
}

/** A live router, and where other routers reach it. */
export interface RouterPeer {
  id: string;
  host: string;
  port: number;
}

export type TableChange =
  | { type: "snapshot"; functions: TableFunction[] }
  | { type: "upsert"; function: TableFunction }
  | { type: "remove"; key: string; name: string }
  /** The link is lost: no changes until the next snapshot. The reason is for people. */
  | { type: "lost"; reason: string }
  /** All routers that are connected to the pool manager. */
  | { type: "routers"; routers: RouterPeer[] }
  /** An instance died or failed; invocations on it are answered with its reason. */
  | { type: "failed"; instanceUid: string; failure: LoadFailure };

/** Asks a router to confirm, by a report with this number, that it has applied all changes before it. */
export interface Mark {
  type: "mark";
  mark: number;
}

/** Demand for one function at one router; complete in itself, so that a lost report heals with the next. */
export interface FunctionDemand {
  /** Key of the table's entry. */
  key: string;
  revision: string;
  waiting: number;
  inFlight: number;
  /** How long the oldest waiting invocation has waited. */
  oldestWaitMs: number;
  /** Total number of invocations of this revision that this router saw answered or failed; not those that reached no instance or whose client left. */
  ended: number;
  /** … those of them that ended with a status of 500 or more. */
  failed: number;
  /** For how long the router has counted them; absent in reports of older routers. */
  countedMs?: number;
  instances: InstanceUse[];
}

export interface InstanceUse {
  uid: string;
  inFlight: number;
  /** Time since the last invocation on it began or ended. */
  idleMs: number;
}

/** A function's invocations at one router since the router's last count of them. A lost count stays lost: metrics are the exact record. */
export interface FunctionUsage {
  /** The function's uid. */
  uid: string;
  invocations: number;
  /** … of them failed: with a status of 500 or more, or refused before they reached an instance. */
  failed: number;
  /** Those that reached an instance, by start kind: warm, prewarmed, cold. */
  starts: number[];
  /** Pairs of a bucket and its count, for each of `PHASES`. */
  phases: number[][];
}

/** An instance that timed out or broke a connection, and must be replaced. */
export interface Suspect {
  uid: string;
  bootId: string;
  reason: "timeout" | "unreachable";
}

export interface DemandReport {
  router: string;
  /** Increases with each report of a router; reports that arrive out of order are ignored. */
  seq: number;
  functions: FunctionDemand[];
  suspects: Suspect[];
  /** With each repetition; absent if there were no invocations, and in reports of older routers. */
  usage?: FunctionUsage[];
  /** The router is about to stop. */
  leaving?: boolean;
  /** The router has applied all changes before this mark. */
  mark?: number;
}

/** A router's connection to the pool manager. */
export interface PoolManagerLink {
  /** Calls `listener` with a snapshot and then with each change, in order. Returns the unsubscribe function. */
  subscribe(listener: (change: TableChange) => void): () => void;
  report(report: DemandReport): void;
  /** Announces that this router is about to stop, so that others own its functions' slots. It continues to follow the table and to report. */
  leave(): void;
}

/** Interval of heartbeats of either side; a side that receives none for `LINK_SILENT_MS` drops the link. */
export const LINK_ALIVE_MS = 1000;
export const LINK_SILENT_MS = 3000;

/** How long an answer of the manage API waits for routers to confirm a change; slower routers apply it later. */
export const CONFIRM_MS = 1000;

/** Grace period of invocations in flight on a deleted function, or on an instance that is removed. */
export const DELETE_GRACE_MS = 2000;

/** Interval at which an unchanged demand report is repeated, and time after which one expires. */
export const DEMAND_REPEAT_MS = 1000;
export const DEMAND_EXPIRY_MS = 3000;
