import { DELETE_GRACE_MS, type Endpoint, type LoadFailure, type RouterPeer, type Suspect, type TableFunction } from "../../pool-manager/client/contract.ts";
import type { Refusal } from "../../runtime-images/protocol/headers.ts";
import type { Access, AccessLog } from "../access-log.ts";
import type { Clock } from "../clock.ts";
import type { InFlight } from "../downstream/exchange.ts";
import type { Beliefs } from "../downstream/trusted-proxies.ts";
import { RouterError, type RouterErrorCode } from "../errors.ts";
import { Limiter } from "../limiter/limiter.ts";
import type { Waiter } from "../limiter/queue.ts";
import type { RouterMetrics } from "../metrics.ts";
import type { Traces } from "../traces/traces.ts";
import type { Transport } from "../upstream/upstreams.ts";
import type { DemandReporter } from "./demand-reporter.ts";
import type { Table } from "./table.ts";
import { TrafficSplit } from "./traffic-split.ts";
import type { SpentTime, Usage } from "./usage.ts";

/** An invocation in flight: served here, or forwarded to another router. */
export interface Running extends InFlight {
  /** The served revision that takes the place of the invocation's own, which is no longer served by itself. */
  reroute(entry: ServedRevision): void;
}

/** The parts that a router's revisions share. */
export interface Shared extends Beliefs {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly metrics: RouterMetrics;
  readonly usage: Usage;
  readonly reporter: DemandReporter;
  readonly table: Table;
  /** The headers by which this router identifies itself to other routers. */
  readonly introduction: readonly string[];
  readonly accessLog: AccessLog | null;
  /** Null: traces are off. */
  readonly traces: Traces | null;
  readonly exposeErrors: boolean;
  /** The slots of a function's revisions. */
  limitersOf(uid: string): Iterable<Limiter>;
  /** Removes the metrics of a name that is no longer served. */
  forget(name: string): void;
}

/** A served revision of a function at this router. */
export class ServedRevision {
  readonly limiter: Limiter;
  readonly clock: Clock;
  readonly transport: Transport;
  readonly #shared: Shared;
  #owner: RouterPeer | null;
  /** Splits the function's invocations, if this is the active revision. */
  #split: TrafficSplit;
  readonly #running = new Set<Running>();
  #waiting = 0;
  #cancelCheck: (() => void) | null = null;
  #nextCheckAt = Number.POSITIVE_INFINITY;

  constructor(fn: TableFunction, owner: RouterPeer | null, shared: Shared) {
    this.#shared = shared;
    this.#owner = owner;
    this.#split = new TrafficSplit(fn.split);
    this.clock = shared.clock;
    this.transport = shared.transport;
    this.limiter = new Limiter(
      fn,
      this.clock.now,
      (urgent) => this.#demandChanged(urgent),
      () => shared.limitersOf(fn.uid),
    );
  }

  get fn(): TableFunction {
    return this.limiter.function;
  }

  get introduction(): readonly string[] {
    return this.#shared.introduction;
  }

  get traces(): Traces | null {
    return this.#shared.traces;
  }

  get beliefs(): Beliefs {
    return this.#shared;
  }

  get active(): number {
    return this.#running.size;
  }

  get exposesErrors(): boolean {
    return this.#shared.exposeErrors;
  }

  /** The router that owns its slots; null: this one. */
  get owner(): RouterPeer | null {
    return this.#owner;
  }

  /** Another router owns its slots from now on; null: this one. */
  belongsTo(owner: RouterPeer | null): void {
    this.#owner = owner;
  }

  /** Chooses the revision of the function's next invocation; null: this one. */
  nextRevision(): string | null {
    return this.#split.next();
  }

  update(fn: TableFunction): void {
    this.#split = this.#split.with(fn.split);
    this.limiter.update(fn);
    this.#schedule();
  }

  /** An instance that cannot be reached is left alone for a while and reported to the pool manager. After that while, the queue is served again. */
  unreachable({ instanceUid, bootId }: Endpoint): void {
    this.limiter.rest(instanceUid, "unreachable");
    this.#schedule();
    this.suspect({ uid: instanceUid, bootId, reason: "unreachable" });
  }

  /** Requeues an invocation that an instance has refused. */
  turnedAway(waiter: Waiter, instanceUid: string, why: Refusal): void {
    this.limiter.turnedAway(waiter, instanceUid, why);
    this.#schedule();
  }

  begin(running: Running): void {
    this.#running.add(running);
  }

  /** `sampledTrace`: the trace's id, if it is recorded. */
  finish(running: Running, access: Omit<Access, "function">, spent: SpentTime, sampledTrace: string | null): void {
    this.#running.delete(running);
    const { status, revision, start } = access;
    const isServed = revision !== "";
    this.#shared.usage.count(this.fn.uid, isServed, status >= 500 || (!isServed && status >= 400 && status !== 499), start, spent);
    if (isAnswer(access)) this.limiter.ended(access.status >= 500);
    this.#shared.metrics.done(this.fn.name, access.status, access.start, access.overheadMs, access.totalMs, sampledTrace);
    this.#shared.accessLog?.add({ function: this.fn.name, ...access });
  }

  /** Called when another router has answered it, or this one serves it after all. */
  forwarded(running: Running): void {
    this.#running.delete(running);
    this.#shared.metrics.forwarded();
  }

  failed(code: RouterErrorCode): void {
    this.#shared.metrics.error(this.fn.name, code);
  }

  retried(): void {
    this.#shared.metrics.retry();
  }

  suspect(suspect: Suspect): void {
    this.#shared.reporter.suspect(suspect);
  }

  failureOf(instanceUid: string, listener: (failure: LoadFailure) => void): () => void {
    return this.#shared.table.failureOf(instanceUid, listener);
  }

  endAll(error: () => RouterError): void {
    for (const running of [...this.#running]) running.end(error());
    this.#cancelCheck?.();
  }

  /** Moves everything to `successor`: the revision has become the active one, or is no longer served. */
  succeeded(successor: ServedRevision): void {
    successor.limiter.adopt(this.limiter);
    for (const running of [...this.#running]) {
      this.#running.delete(running);
      running.reroute(successor);
    }
    this.#cancelCheck?.();
  }

  /** Rejects waiting invocations at once; running ones may take another two seconds. */
  deleted(): void {
    this.limiter.rejectAll(() => new RouterError("FUNCTION_NOT_FOUND", `the function ${this.fn.name} was deleted`));
    this.clock.after(DELETE_GRACE_MS, () => {
      this.endAll(() => new RouterError("FUNCTION_DELETED", `the function ${this.fn.name} was deleted`));
      this.#shared.forget(this.fn.name);
    });
  }

  #demandChanged(urgent: boolean): void {
    this.#shared.reporter.changed(this.fn.key, urgent);
    const { waiting } = this.limiter;
    // Also when nobody comes or goes: a slot that was released may be of an instance that rests, and nothing else tells when it has.
    if (waiting > 0) this.#schedule();
    if (waiting === this.#waiting) return;
    this.#waiting = waiting;
    this.#shared.metrics.queue(this.fn.name, waiting);
  }

  /** Wakes the queue when the time of its head is up or an instance may be picked again. */
  #schedule(): void {
    const check = this.limiter.nextCheck();
    if (check === null || check >= this.#nextCheckAt) return;
    this.#cancelCheck?.();
    this.#nextCheckAt = check;
    this.#cancelCheck = this.clock.after(Math.max(0, check - this.clock.now()) + 0.5, () => {
      this.#nextCheckAt = Number.POSITIVE_INFINITY;
      this.limiter.check();
      this.#schedule();
    });
  }
}

/** Whether the end of an invocation says how the function answers: one that came to no instance, or whose client has left, says only that it failed. */
function isAnswer({ status, revision }: Pick<Access, "status" | "revision">): boolean {
  return status >= 500 || (revision !== "" && status !== 499);
}
