import type { LoadFailure, PoolManagerLink, StartKind, Suspect, TableFunction } from "../pool-manager/client/contract.ts";
import { DemandReporter } from "./demand.ts";
import { RouterError, type RouterErrorCode } from "./errors.ts";
import type { Invocation } from "./invoke.ts";
import { Limiter } from "./limiter.ts";
import type { RouterMetrics } from "./metrics.ts";
import { Table } from "./table.ts";
import { Upstreams } from "./upstreams.ts";

/** Invocations that run on a deleted function get this long. Milliseconds. */
const DELETE_GRACE_MS = 2000;

const after = (ms: number, fn: () => void) => {
  const timer = setTimeout(fn, ms);
  return () => clearTimeout(timer);
};

/** Every function that this router can invoke, with its slots and its running invocations. */
export class Functions {
  readonly upstreams = new Upstreams();
  readonly metrics: RouterMetrics;
  readonly reporter: DemandReporter;
  readonly table: Table;
  readonly #byName = new Map<string, FunctionEntry>();
  #unsubscribe: () => void = () => {};

  constructor(routerId: string, link: PoolManagerLink, metrics: RouterMetrics) {
    this.metrics = metrics;
    this.reporter = new DemandReporter(
      routerId,
      (report) => link.report(report),
      () => performance.now(),
      after,
    );
    this.table = new Table({
      upsert: (fn) => this.#upsert(fn),
      removed: (_uid, name) => this.#removed(name),
      endpointGone: (endpoint) => this.upstreams.close(endpoint),
    });
    this.#unsubscribe = link.subscribe((change) => this.table.apply(change));
    this.reporter.start();
  }

  get(name: string): FunctionEntry | undefined {
    return this.#byName.get(name);
  }

  /** Invocations under way, over all functions. */
  get active(): number {
    let sum = 0;
    for (const entry of this.#byName.values()) sum += entry.active;
    return sum;
  }

  /** Ends what is still under way. */
  async close(): Promise<void> {
    this.#unsubscribe();
    this.reporter.stop();
    for (const entry of this.#byName.values()) entry.endAll(() => new RouterError("SHUTTING_DOWN", "the router stops", 1000));
    await this.upstreams.destroy();
  }

  #upsert(fn: TableFunction): void {
    const known = this.#byName.get(fn.name);
    if (known) return known.update(fn);
    const entry = new FunctionEntry(fn, this);
    this.#byName.set(fn.name, entry);
    this.reporter.add({ uid: fn.uid, demand: () => entry.limiter.demand() });
    entry.update(fn);
  }

  #removed(name: string): void {
    const entry = this.#byName.get(name);
    if (!entry) return;
    this.#byName.delete(name);
    this.reporter.delete(entry.fn.uid);
    this.metrics.forget(name);
    entry.deleted();
  }
}

/** One function at this router. */
export class FunctionEntry {
  readonly limiter: Limiter;
  readonly upstreams: Upstreams;
  readonly #owner: Functions;
  readonly #invocations = new Set<Invocation>();
  #cancelLook: (() => void) | null = null;
  #lookAt = Number.POSITIVE_INFINITY;

  constructor(fn: TableFunction, owner: Functions) {
    this.#owner = owner;
    this.upstreams = owner.upstreams;
    this.limiter = new Limiter(
      fn,
      () => performance.now(),
      () => this.#demandChanged(),
    );
  }

  get fn(): TableFunction {
    return this.limiter.function;
  }

  get active(): number {
    return this.#invocations.size;
  }

  update(fn: TableFunction): void {
    this.limiter.update(fn);
    this.#schedule();
  }

  begin(invocation: Invocation): void {
    this.#invocations.add(invocation);
  }

  finish(invocation: Invocation, status: number, start: StartKind, overheadMs: number, totalMs: number): void {
    this.#invocations.delete(invocation);
    this.#owner.metrics.done(this.fn.name, status, start, overheadMs, totalMs);
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
    for (const invocation of [...this.#invocations]) invocation.end(error());
    this.#cancelLook?.();
  }

  /** Waiting invocations end now, running ones get two seconds. */
  deleted(): void {
    this.limiter.rejectAll(() => new RouterError("FUNCTION_NOT_FOUND", `the function ${this.fn.name} was deleted`));
    after(DELETE_GRACE_MS, () => this.endAll(() => new RouterError("FUNCTION_DELETED", `the function ${this.fn.name} was deleted`)));
  }

  #demandChanged(): void {
    this.#owner.reporter.changed(this.fn.uid);
    this.#owner.metrics.queue(this.fn.name, this.limiter.waiting);
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
