import type { Endpoint, LoadFailure, TableChange, TableFunction } from "../../pool-manager/client/contract.ts";
import { BoundedMap } from "../../pool-manager/collections/bounded.ts";

/** The number of failures that are kept for invocations whose connections break. */
const MAX_FAILURES = 500;
/** How long a failure explains a broken connection. An older one does not: an instance survives a new revision that fails to load. */
const FAILURE_AGE_MS = 2000;

export interface TableEvents {
  upsert(fn: TableFunction): void;
  removed(key: string, name: string): void;
  endpointGone(endpoint: Endpoint): void;
}

/** The instances of each function as the pool manager publishes them; kept while the pool manager is silent. */
export class Table {
  readonly #byName = new Map<string, TableFunction>();
  readonly #failures = new BoundedMap<string, { failure: LoadFailure; at: number }>(MAX_FAILURES);
  readonly #waiting = new Map<string, Set<(failure: LoadFailure) => void>>();
  readonly #events: TableEvents;
  readonly #now: () => number;
  #ready = false;
  #fresh = false;
  /** When it stopped being fresh. */
  #lostAt: number;
  #lostReason = "";

  /** `now` returns milliseconds. */
  constructor(events: TableEvents, now: () => number = () => performance.now()) {
    this.#events = events;
    this.#now = now;
    this.#lostAt = now();
  }

  /** True once the first table has arrived. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Whether changes arrive as they happen. */
  get fresh(): boolean {
    return this.#fresh;
  }

  /** How long the pool manager has been silent; 0: changes arrive as they happen. */
  get unheardMs(): number {
    return this.#fresh ? 0 : this.#now() - this.#lostAt;
  }

  /** Why the pool manager is silent. */
  get lostReason(): string {
    return this.#lostReason;
  }

  *endpoints(): Iterable<Endpoint> {
    for (const { endpoints } of this.#byName.values()) yield* endpoints;
  }

  apply(change: Exclude<TableChange, { type: "routers" }>): void {
    if (change.type === "upsert") this.#upsert(change.function);
    else if (change.type === "remove") this.#remove(change.key, change.name);
    else if (change.type === "lost") this.#lost(change.reason);
    else if (change.type === "failed") this.#failed(change.instanceUid, change.failure);
    else if (change.type === "snapshot") this.#snapshot(change.functions);
  }

  /** Calls `listener` with the reason for which an instance failed, now or once it is known. Returns a function that cancels. */
  failureOf(instanceUid: string, listener: (failure: LoadFailure) => void): () => void {
    const known = this.#failures.get(instanceUid);
    if (known && this.#now() - known.at <= FAILURE_AGE_MS) {
      listener(known.failure);
      return () => {};
    }
    const waiting = this.#waiting.get(instanceUid) ?? new Set();
    waiting.add(listener);
    this.#waiting.set(instanceUid, waiting);
    return () => {
      waiting.delete(listener);
      if (waiting.size === 0) this.#waiting.delete(instanceUid);
    };
  }

  #snapshot(functions: readonly TableFunction[]): void {
    const keys = new Set(functions.map((fn) => fn.key));
    for (const known of [...this.#byName.values()]) if (!keys.has(known.key)) this.#remove(known.key, known.name);
    for (const fn of functions) this.#upsert(fn);
    this.#ready = true;
    this.#fresh = true;
  }

  #lost(reason: string): void {
    if (this.#fresh) this.#lostAt = this.#now();
    this.#fresh = false;
    this.#lostReason = reason;
  }

  #upsert(fn: TableFunction): void {
    const before = this.#byName.get(fn.name);
    if (before && before.key !== fn.key) this.#remove(before.key, before.name);
    this.#byName.set(fn.name, fn);
    this.#events.upsert(fn);
    if (before) this.#dropped(before.endpoints, fn.endpoints);
  }

  #remove(key: string, name: string): void {
    const known = this.#byName.get(name);
    if (known?.key !== key) return;
    this.#byName.delete(name);
    this.#events.removed(key, name);
    this.#dropped(known.endpoints, []);
  }

  #dropped(before: readonly Endpoint[], after: readonly Endpoint[]): void {
    const kept = new Set(after.map(({ host, port }) => `${host}:${port}`));
    for (const endpoint of before) if (!kept.has(`${endpoint.host}:${endpoint.port}`)) this.#events.endpointGone(endpoint);
  }

  #failed(instanceUid: string, failure: LoadFailure): void {
    this.#failures.set(instanceUid, { failure, at: this.#now() });
    for (const listener of this.#waiting.get(instanceUid) ?? []) listener(failure);
    this.#waiting.delete(instanceUid);
  }
}
