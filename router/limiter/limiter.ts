import type { FunctionDemand, LoadFailure, TableFunction } from "../../pool-manager/client/contract.ts";
import type { Refusal } from "../../runtime-images/protocol/headers.ts";
import { FAILURE_CODES, RouterError, type RouterErrorCode, wordsForOthers } from "../errors.ts";
import { DemandChanges, Outcomes } from "./demand.ts";
import { Queue, type Waiter } from "./queue.ts";
import { avoidedUntil, isAvoided, isForAll, type RestReason, restsUntil } from "./rest.ts";
import { Slots } from "./slots.ts";

/** The slots of one function's instances, and the bounded queue of invocations that wait for one. */
export class Limiter {
  #fn: TableFunction;
  #failure: { code: RouterErrorCode; message: string; until: number } | null = null;
  readonly #slots: Slots;
  readonly #queue = new Queue();
  readonly #now: () => number;
  readonly #demand: DemandChanges;
  readonly #outcomes: Outcomes;

  /**
   * `now` in milliseconds; `changed` is called after each change of demand, `urgent` where it changes how many instances
   * are wanted. `siblings` are those of the function's revisions: an instance that changes its revision moves among them.
   */
  constructor(fn: TableFunction, now: () => number, changed: (urgent: boolean) => void, siblings: () => Iterable<Limiter> = () => []) {
    this.#fn = fn;
    this.#now = now;
    this.#demand = new DemandChanges(changed);
    this.#outcomes = new Outcomes(now());
    this.#slots = new Slots({
      now,
      released: () => this.#released(),
      moved: () => this.#tell(),
      siblings: function* () {
        for (const sibling of siblings()) yield sibling.#slots;
      },
    });
  }

  get function(): TableFunction {
    return this.#fn;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** A new state of the function: endpoints come, go and change their revision. */
  update(fn: TableFunction): void {
    if (fn.revision !== this.#fn.revision) this.#outcomes.restart(this.#now());
    this.#fn = fn;
    this.#slots.list(fn.endpoints);
    this.#failure = null;
    if (fn.failure) this.#fail(fn.failure);
    this.#serve();
  }

  /** Takes a slot at once or queues; the queue's overflow is `QUEUE_FULL`. */
  acquire(waiter: Waiter): void {
    const reservation = this.#queue.allAvoid ? this.#slots.reserve(waiter.avoided, this.#fn.concurrency) : null;
    if (reservation) {
      this.#tell();
      waiter.granted(reservation);
      return;
    }
    const broken = this.#broken();
    if (broken) {
      waiter.rejected(broken);
      return;
    }
    if (this.#queue.length >= this.#fn.queueDepth) {
      this.#queue.overflowed();
      const message = `${this.#queue.length} invocations of ${this.#fn.name} wait already (queueDepth)`;
      waiter.rejected(new RouterError("QUEUE_FULL", message, this.#expectedWaitMs()));
      return;
    }
    this.#queue.push(waiter);
    this.#tell();
  }

  /** An instance refused the invocation: it waits again, at its old place, unless the table has told meanwhile why none can take it. */
  requeue(waiter: Waiter): void {
    const broken = this.#broken();
    if (broken) return waiter.rejected(broken);
    this.#queue.restore(waiter);
    this.#serve();
    this.#tell();
  }

  /** Ends a wait: the client is gone, or it waits elsewhere. False: the invocation does not wait here. */
  cancel(waiter: Waiter): boolean {
    const waited = this.#queue.delete(waiter);
    if (waited) this.#tell();
    return waited;
  }

  /** An instance is left alone for a while. */
  rest(instanceUid: string, reason: RestReason): void {
    const slot = this.#slots.get(instanceUid);
    if (slot) slot.blockedUntil = restsUntil(reason, this.#now());
  }

  /** An instance has refused an invocation. */
  turnedAway(waiter: Waiter, instanceUid: string, why: Refusal): void {
    if (isForAll(why)) return this.rest(instanceUid, why);
    waiter.avoid(instanceUid, avoidedUntil(this.#now()));
  }

  /** Grants free slots to those who wait, and turns away those whose time is up: to be called when what has come was read, since it may free a slot. */
  check(): void {
    this.#serve();
    const now = this.#now();
    for (;;) {
      const head = this.#queue.oldest;
      if (!head || now - head.arrivedAt < this.#fn.queueTimeoutMs) return;
      const error = this.#timedOut();
      this.#queue.delete(head);
      if (this.#slots.inFlight > 0) this.#queue.overflowed();
      head.rejected(error);
      this.#tell();
    }
  }

  /** Turns everyone away who waits. */
  rejectAll(error: () => RouterError): void {
    for (const waiter of this.#queue.takeAll()) waiter.rejected(error());
    this.#tell();
  }

  /** When `check` has to be called though nothing happens; null when never. */
  nextCheck(): number | null {
    const head = this.#queue.oldest;
    if (!head) return null;
    let at = head.arrivedAt + this.#fn.queueTimeoutMs;
    for (const { instanceUid, endpoint, inFlight, blockedUntil } of this.#slots.all()) {
      if (!endpoint || inFlight >= this.#fn.concurrency) continue;
      for (const { avoided } of this.#queue.next()) at = Math.min(at, Math.max(blockedUntil, avoided?.get(instanceUid) ?? 0));
    }
    return at;
  }

  /** Whether an instance may be picked: it does not rest, and not everybody whose turn it is stays away from it. */
  isPickable(instanceUid: string): boolean {
    const slot = this.#slots.get(instanceUid);
    const now = this.#now();
    if (!slot?.endpoint || slot.blockedUntil > now) return false;
    const next = [...this.#queue.next()];
    return next.length === 0 || next.some(({ avoided }) => !isAvoided(slot, avoided?.get(instanceUid), now));
  }

  /** An invocation of its revision has ended; demand tells of it when it is told of anyway. */
  ended(failed: boolean): void {
    this.#outcomes.count(failed);
  }

  demand(): FunctionDemand {
    const now = this.#now();
    const slots = [...this.#slots.all()];
    const head = this.#queue.oldest;
    return {
      key: this.#fn.key,
      revision: this.#fn.revision,
      waiting: this.#queue.length,
      inFlight: this.#slots.inFlight,
      oldestWaitMs: head ? now - head.arrivedAt : 0,
      ...this.#outcomes.report(now),
      instances: slots.map(({ instanceUid, inFlight, usedAt }) => ({ uid: instanceUid, inFlight, idleMs: now - usedAt })),
    };
  }

  /** Counts the invocations in flight at another limiter here from now on: this one has taken its instances over. */
  adopt(other: Limiter): void {
    this.#slots.adopt(other.#slots);
    this.#tell();
  }

  #tell(): void {
    this.#demand.tell(this.#queue.length, this.#slots.inFlight, this.#fn.concurrency);
  }

  #released(): void {
    this.#serve();
    this.#tell();
  }

  #serve(): void {
    if (this.#queue.length === 0) return;
    for (let served = true; served; ) {
      served = false;
      for (const waiter of this.#queue.next()) {
        const reservation = this.#slots.reserve(waiter.avoided, this.#fn.concurrency);
        if (!reservation) continue;
        this.#queue.delete(waiter);
        this.#tell();
        waiter.granted(reservation);
        served = true;
        break;
      }
    }
  }

  /** No instance can be had: the reason is the answer, until another try is due. Without its runtime none is. */
  #fail(failure: LoadFailure): void {
    if (this.#fn.endpoints.length > 0) return;
    const { reason, retryAfterMs } = failure;
    const [code, message] = [FAILURE_CODES[reason], wordsForOthers(this.#fn.name, failure)];
    const retryMs = reason === "runtime" ? undefined : retryAfterMs;
    this.#failure = { code, message, until: this.#now() + (retryMs ?? Number.POSITIVE_INFINITY) };
    this.rejectAll(() => new RouterError(code, message, retryMs));
  }

  #timedOut(): RouterError {
    const { name, queueTimeoutMs, blocked } = this.#fn;
    const message = `no instance of ${name} was free within ${queueTimeoutMs} ms (queueTimeout)`;
    if (!blocked) return new RouterError("QUEUE_TIMEOUT", message, this.#expectedWaitMs());
    return new RouterError("POOL_BLOCKED", `${message}, and no other can come: ${blocked}`, this.#expectedWaitMs());
  }

  /** After how long whoever comes then is served: when those who wait now have been. By the queue's timeout they are gone. */
  #expectedWaitMs(): number {
    const { queueTimeoutMs, expectedStartMs } = this.#fn;
    const now = this.#now();
    const waitedMs = now - (this.#queue.oldest?.arrivedAt ?? now);
    const ms = this.#slots.inFlight > 0 ? this.#slots.untilEnded(this.#queue.length + 1, now) : Math.max(expectedStartMs, waitedMs);
    return Math.min(ms, queueTimeoutMs);
  }

  #broken(): RouterError | null {
    const left = this.#failure ? this.#failure.until - this.#now() : 0;
    return this.#failure && left > 0 ? new RouterError(this.#failure.code, this.#failure.message, Number.isFinite(left) ? left : undefined) : null;
  }
}
