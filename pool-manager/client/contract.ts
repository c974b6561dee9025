/**
 * All that a router sees of the pool manager: the table that it gets, the demand that it reports.
 * Embedded the link is a pair of function calls; on a cluster the same messages are streamed.
 */

/** How the invocation got its instance: `prewarmed` specialized a pool instance, `cold` had one created. */
export type StartKind = "warm" | "prewarmed" | "cold";

/** A worker of an instance that accepts invocations of one revision. */
export interface Endpoint {
  instanceUid: string;
  bootId: string;
  epoch: number;
  host: string;
  port: number;
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

export interface TableFunction {
  uid: string;
  name: string;
  /** The revision that gets all traffic. */
  revision: string;
  concurrency: number;
  timeoutMs: number;
  loadTimeoutMs: number;
  queueDepth: number;
  queueTimeoutMs: number;
  endpoints: Endpoint[];
  failure: LoadFailure | null;
  /** Milliseconds that a new instance took lately; the Retry-After of a full queue. */
  expectedStartMs: number;
}

export type TableChange =
  | { type: "snapshot"; functions: TableFunction[] }
  | { type: "upsert"; function: TableFunction }
  | { type: "remove"; uid: string; name: string }
  /** An instance died or failed; invocations on it are answered with its reason. */
  | { type: "failed"; instanceUid: string; failure: LoadFailure };

/** Demand for one function at one router; complete in itself, so that a lost report heals with the next. */
export interface FunctionDemand {
  uid: string;
  revision: string;
  waiting: number;
  inFlight: number;
  /** Milliseconds that the oldest waiting invocation has waited. */
  oldestWaitMs: number;
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
}

/** A router's connection to the pool manager. */
export interface PoolManagerLink {
  /** Calls `listener` with a snapshot and then with each change, in order. Returns the end of it. */
  subscribe(listener: (change: TableChange) => void): () => void;
  report(report: DemandReport): void;
}

/** Milliseconds between two repetitions of an unchanged demand report, and until one expires. */
export const DEMAND_REPEAT_MS = 1000;
export const DEMAND_EXPIRY_MS = 3000;
