/**
 * All that a router sees of the pool manager: the table that it gets, the demand that it reports.
 * Embedded the link is a pair of function calls; on a cluster the same messages are streamed.
 */

/** Carries a router's id when it registers. No web page can send it to another site: such a header needs leave that the manage API never gives. */
export const ROUTER_HEADER = "x-berth-router";

/** How the invocation got its instance: `prewarmed` specialized a pool instance, `cold` had one created. */
export type StartKind = "warm" | "prewarmed" | "cold";

/** A worker of an instance that accepts invocations of one revision. */
export interface Endpoint {
  instanceUid: string;
  bootId: string;
  epoch: number;
  host: string;
  port: number;
  /** What a request to it has to carry as `x-berth-key`; null: nothing. */
  key: string | null;
  revision: string;
  /** False while the code loads: invocations may be sent, the instance parks them. */
  loaded: boolean;
  /** What an invocation that waited for this endpoint experienced. */
  start: StartKind;
  /** Milliseconds from the decision to the accepted load order. */
  claimMs: number;
}

/** Why new invocations of a function cannot be started at present. */
export interface LoadFailure {
  reason: "load" | "timeout" | "crash";
  /** The function's own error text. */
  message: string;
  /** Instance that failed; an invocation that was sent there is answered with this. */
  instanceUid: string;
  /** Milliseconds until it is tried again. */
  retryAfterMs: number;
}

/** What can be invoked: a function's active revision, or another one that has a share of its invocations or an alias. */
export interface TableFunction {
  /** Of its instances and its queue: the function's uid, for another revision than the active one `UID@REVISION`. */
  key: string;
  uid: string;
  /** `NAME`, for another revision than the active one `NAME@REVISION`. */
  name: string;
  revision: string;
  /** Shares of other revisions in the function's invocations, in percent. Only of the active one. */
  split: { revision: string; percent: number }[];
  /** Revision by alias. Only of the active one. */
  aliases: Record<string, string>;
  concurrency: number;
  timeoutMs: number;
  loadTimeoutMs: number;
  queueDepth: number;
  queueTimeoutMs: number;
  endpoints: Endpoint[];
  failure: LoadFailure | null;
  /** Why no further instance can come at present, in the platform's words; null: nothing is known to be in the way. */
  blocked: string | null;
  /** Milliseconds that a new instance took lately; the Retry-After of a full queue. */
  expectedStartMs: number;
}

/** A live router, and where the others reach it. */
export interface RouterPeer {
  id: string;
  host: string;
  port: number;
}

export type TableChange =
  | { type: "snapshot"; functions: TableFunction[] }
  | { type: "upsert"; function: TableFunction }
  | { type: "remove"; key: string; name: string }
  /** Until the next snapshot nothing is heard of changes; the reason is for people. */
  | { type: "lost"; reason: string }
  /** The routers that are connected to the pool manager, complete. */
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
  /** Of the table's entry. */
  key: string;
  revision: string;
  waiting: number;
  inFlight: number;
  /** Milliseconds that the oldest waiting invocation has waited. */
  oldestWaitMs: number;
  /** Invocations of this revision that this router has seen to be answered or to fail, ever. */
  ended: number;
  /** … those of them that ended with a status of 500 or more. */
  failed: number;
  /** For how long it has counted them; a router of a former version does not say. Milliseconds. */
  countedMs?: number;
  instances: InstanceUse[];
}

export interface InstanceUse {
  uid: string;
  inFlight: number;
  /** Milliseconds since the last invocation on it began or ended. */
  idleMs: number;
}

/** An instance that did not answer in time or broke a connection: it has to be replaced. */
export interface Suspect {
  uid: string;
  bootId: string;
  reason: "timeout" | "unreachable";
}

export interface DemandReport {
  router: string;
  /** Rises with each report of a router; older ones that arrive late are ignored. */
  seq: number;
  functions: FunctionDemand[];
  suspects: Suspect[];
  /** This router is about to stop. */
  leaving?: boolean;
  /** All changes before this mark are applied. */
  mark?: number;
}

/** A router's connection to the pool manager. */
export interface PoolManagerLink {
  /** Calls `listener` with a snapshot and then with each change, in order. Returns the end of it. */
  subscribe(listener: (change: TableChange) => void): () => void;
  report(report: DemandReport): void;
  /** This router is about to stop: others shall own its functions' slots. It still follows and reports. */
  leave(): void;
}

/** Signs of life of either side are this far apart; a side that hears none for `LINK_SILENT_MS` gives the other up. */
export const LINK_ALIVE_MS = 1000;
export const LINK_SILENT_MS = 3000;

/** Longest that an answer of the manage API waits for routers to confirm a change; a router that is later only knows it later. */
export const CONFIRM_MS = 1000;

/** Invocations that run on a deleted function, or on an instance that has to go, get this long. */
export const DELETE_GRACE_MS = 2000;

/** Milliseconds between two repetitions of an unchanged demand report, and until one expires. */
export const DEMAND_REPEAT_MS = 1000;
export const DEMAND_EXPIRY_MS = 3000;
