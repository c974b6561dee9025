import { API_KEY_HEADER } from "../pool-manager/client/api-keys.ts";
import { DELETE_GRACE_MS, type LoadFailure, type PoolManagerLink, type RouterPeer, type Suspect, type TableFunction } from "../pool-manager/client/contract.ts";
import { HOP_HEADER } from "../runtime-images/protocol/headers.ts";
import type { Access, AccessLog } from "./access-log.ts";
import { DemandReporter } from "./demand.ts";
import { RouterError, type RouterErrorCode } from "./errors.ts";
import { Held } from "./held.ts";
import { Limiter, type RestReason } from "./limiter.ts";
import type { RouterMetrics } from "./metrics.ts";
import { Peers } from "./peers.ts";
import { Split } from "./split.ts";
import { Table } from "./table.ts";
import { Upstreams } from "./upstreams.ts";

const after = (ms: number, fn: () => void) => {
  const timer = setTimeout(fn, ms);
  return () => clearTimeout(timer);
};

/** An invocation under way: served here, or passed on. */
export interface Running {
  /** What it belonged to is no longer served by itself; this one takes its place. */
  reroute(entry: FunctionEntry): void;
  end(error: RouterError): void;
}

/** Every function that this router can invoke, with its slots and its running invocations. */
export class Functions {
  readonly upstreams = new Upstreams();
  readonly metrics: RouterMetrics;
  readonly reporter: DemandReporter;
  readonly table: Table;
  readonly held = new Held();
  /** Its id. */
  readonly self: string;
  readonly #peers: Peers;
  readonly #byName = new Map<string, FunctionEntry>();
  readonly #byUid = new Map<string, Set<FunctionEntry>>();
  #unsubscribe: () => void = () => {};

  #link: PoolManagerLink | null = null;

  /** Null: none is kept. */
  readonly accessLog: AccessLog | null;

  /** What other routers are shown; null: nothing. */
  readonly ownKey: string | null;

  constructor(routerId: string, metrics: RouterMetrics, accessLog: AccessLog | null, ownKey: string | null = null) {
    this.ownKey = ownKey;
    this.accessLog = accessLog;
    this.self = routerId;
    this.#peers = new Peers(routerId);
    this.metrics = metrics;
    this.reporter = new DemandReporter(
      routerId,
      (report) => this.#link?.report(report),
      () => performance.now(),
      after,
    );
    this.table = new Table({
      upsert: (fn) => this.#upsert(fn),
      removed: (_key, name) => this.#removed(name),
      endpointGone: (endpoint) => this.upstreams.close(endpoint),
    });
  }

  /** Begins to follow the table and to report demand. */
  follow(link: PoolManagerLink): void {
    this.#link = link;
    this.#unsubscribe = link.subscribe((change) => {
      if (change.type === "routers") this.#routers(change.routers);
      else this.table.apply(change);
      if (change.type === "snapshot") this.held.release();
    });
    this.reporter.start();
  }

  /** What has the next invocation of this function. */
  next(name: string): FunctionEntry | undefined {
    const entry = this.#byName.get(name);
    const revision = entry?.split.next() ?? null;
    return revision === null ? entry : (this.#byName.get(`${name}@${revision}`) ?? entry);
  }

  /** A revision of a function, by its id or an alias. */
  version(name: string, version: string): FunctionEntry | undefined {
    const entry = this.#byName.get(name);
    if (!entry) return undefined;
    const revision = Object.hasOwn(entry.fn.aliases, version) ? entry.fn.aliases[version] : version;
    return revision === entry.fn.revision ? entry : this.#byName.get(`${name}@${revision}`);
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** Invocations under way, over all functions. */
  get active(): number {
    let sum = 0;
    for (const entry of this.#byName.values()) sum += entry.active;
    return sum;
  }

  /** Its slots go to other routers; what is under way here goes on. */
  leave(): void {
    this.#link?.leave();
  }

  /** Ends what is still under way. */
  async close(): Promise<void> {
    this.#unsubscribe();
    this.reporter.stop();
    for (const entry of this.#byName.values()) entry.endAll(() => new RouterError("SHUTTING_DOWN", "the router stops", 1000));
    await this.upstreams.destroy();
  }

  #routers(routers: readonly RouterPeer[]): void {
    for (const gone of this.#peers.set(routers)) this.upstreams.close(gone);
    for (const entry of this.#byName.values()) entry.owner = this.#ownerOf(entry.fn);
  }

  /** All revisions of a function have one owner: their instances change from one to another. */
  #ownerOf({ uid }: TableFunction): RouterPeer | null {
    return this.#peers.ownerOf(uid);
  }

  /** The slots of a function's revisions. */
  *limitersOf(uid: string): Iterable<Limiter> {
    for (const { limiter } of this.#byUid.get(uid) ?? []) yield limiter;
  }

  #upsert(fn: TableFunction): void {
    const known = this.#byName.get(fn.name);
    if (known) return known.update(fn);
    const entry = new FunctionEntry(fn, this);
    entry.owner = this.#ownerOf(fn);
    this.#byName.set(fn.name, entry);
    this.#byUid.set(fn.uid, (this.#byUid.get(fn.uid) ?? new Set()).add(entry));
    this.reporter.add({ key: fn.key, demand: () => entry.limiter.demand() });
    entry.update(fn);
  }

  #removed(name: string): void {
    const entry = this.#byName.get(name);
    if (!entry) return;
    this.#byName.delete(name);
    const { uid } = entry.fn;
    const revisions = this.#byUid.get(uid);
    if (revisions?.delete(entry) && revisions.size === 0) this.#byUid.delete(uid);
    this.reporter.delete(entry.fn.key);
    const successor = entry.fn.key === entry.fn.uid ? undefined : this.#byName.get(name.slice(0, name.indexOf("@")));
    if (!successor) return entry.deleted();
    entry.succeeded(successor);
    this.forget(name);
  }

  /** Its series end, unless another function has the name by now. */
  forget(name: string): void {
    if (!this.has(name)) this.metrics.forget(name);
  }
}

/** A served revision of a function at this router. */
export class FunctionEntry {
  readonly limiter: Limiter;
  readonly upstreams: Upstreams;
  readonly #owner: Functions;
  /** The router that has its slots; null: this one. */
  owner: RouterPeer | null = null;
  /** Of the function's invocations, where this is the active revision. */
  split: Split;
  readonly #running = new Set<Running>();
  #waiting = 0;
  #cancelLook: (() => void) | null = null;
  #lookAt = Number.POSITIVE_INFINITY;

  constructor(fn: TableFunction, owner: Functions) {
    this.#owner = owner;
    this.split = new Split(fn.split);
    this.upstreams = owner.upstreams;
    this.limiter = new Limiter(
      fn,
      () => performance.now(),
      (urgent) => this.#demandChanged(urgent),
      () => owner.limitersOf(fn.uid),
    );
  }

  get fn(): TableFunction {
    return this.limiter.function;
  }

  /** What another router learns of the one that passes an invocation on. */
  get hopHeaders(): string[] {
    const { self, ownKey } = this.#owner;
    return ownKey === null ? [HOP_HEADER, self] : [HOP_HEADER, self, API_KEY_HEADER, ownKey];
  }

  get active(): number {
    return this.#running.size;
  }

  update(fn: TableFunction): void {
    this.split = this.split.with(fn.split);
    this.limiter.update(fn);
    this.#schedule();
  }

  /** An instance is left alone for a while; who waits is looked at again when that is over. */
  rest(instanceUid: string, reason: RestReason): void {
    this.limiter.rest(instanceUid, reason);
    this.#schedule();
  }

  begin(running: Running): void {
    this.#running.add(running);
  }

  finish(running: Running, access: Omit<Access, "function">): void {
    this.#running.delete(running);
    this.limiter.ended(access.status >= 500);
    this.#owner.metrics.done(this.fn.name, access.status, access.start, access.overheadMs, access.totalMs);
    this.#owner.accessLog?.add({ function: this.fn.name, ...access });
  }

  /** Another router has answered it, or this one serves it after all. */
  forwarded(running: Running): void {
    this.#running.delete(running);
    this.#owner.metrics.forwarded();
  }

  failed(code: RouterErrorCode): void {
    this.#owner.metrics.error(this.fn.name, code);
  }

  retried(): void {
    this.#owner.metrics.retry();
  }

  suspect(suspect: Suspect): void {
    this.#owner.reporter.suspect(suspect);
  }

  failureOf(instanceUid: string, listener: (failure: LoadFailure) => void): () => void {
    return this.#owner.table.failureOf(instanceUid, listener);
  }

  endAll(error: () => RouterError): void {
    for (const running of [...this.#running]) running.end(error());
    this.#cancelLook?.();
  }

  /** The revision has become the active one, or is not served any more: what waits goes on with the function's other invocations. */
  succeeded(successor: FunctionEntry): void {
    successor.limiter.adopt(this.limiter);
    for (const running of [...this.#running]) {
      this.#running.delete(running);
      running.reroute(successor);
    }
    this.#cancelLook?.();
  }

  /** Waiting invocations end now, running ones get two seconds. */
  deleted(): void {
    this.limiter.rejectAll(() => new RouterError("FUNCTION_NOT_FOUND", `the function ${this.fn.name} was deleted`));
    after(DELETE_GRACE_MS, () => {
      this.endAll(() => new RouterError("FUNCTION_DELETED", `the function ${this.fn.name} was deleted`));
      this.#owner.forget(this.fn.name);
    });
  }

  #demandChanged(urgent: boolean): void {
    this.#owner.reporter.changed(this.fn.key, urgent);
    const { waiting } = this.limiter;
    if (waiting === this.#waiting) return;
    this.#waiting = waiting;
    this.#owner.metrics.queue(this.fn.name, waiting);
    this.#schedule();
  }

  /** Wakes the queue when its head's time is up, or a resting instance may be asked again. */
  #schedule(): void {
    const look = this.limiter.nextLook();
    if (look === null || look >= this.#lookAt) return;
    this.#cancelLook?.();
    this.#lookAt = look;
    this.#cancelLook = after(Math.max(0, look - performance.now()) + 0.5, () => {
      this.#lookAt = Number.POSITIVE_INFINITY;
      this.limiter.serve();
      this.#schedule();
    });
  }
}
