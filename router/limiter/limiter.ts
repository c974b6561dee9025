import type { Endpoint, FunctionDemand, LoadFailure, TableFunction } from "../../pool-manager/client/contract.ts";
import type { Refusal } from "../../runtime-images/protocol/headers.ts";
import { FAILURE_CODES, RouterError, type RouterErrorCode, wordsForOthers } from "../errors.ts";
import { CompletionPace } from "./completion-pace.ts";
import { pick } from "./pick.ts";
import { Queue, type Waiter } from "./queue.ts";
import { Reservation, type Slot } from "./slot.ts";

/** After a failure to connect, or a refusal that the table does not explain yet, an instance rests. */
const REST_MS = { full: 10, draining: 1000, unreachable: 1000 } as const;
export type RestReason = keyof typeof REST_MS;
/** An invocation stays away for so long from an instance that serves something else by its own word. */
const AVOIDED_MS = 1000;

/** The slots of one function's instances, and the bounded queue of invocations that wait for one. */
export class Limiter {
  #fn: TableFunction;
  #failure: { code: RouterErrorCode; message: string; until: number } | null = null;
  readonly #slots = new Map<string, Slot>();
  readonly #idle: Slot[] = [];
  readonly #queue = new Queue();
  readonly #now: () => number;
  readonly #changed: (urgent: boolean) => void;
  readonly #siblings: () => Iterable<Limiter>;
  #inFlight = 0;
  readonly #pace = new CompletionPace();
  #outcomes = { ended: 0, failed: 0 };
  /** Since when outcomes are counted. */
  #countedSince: number;
  /** Instances that the last urgent change asked for. */
  #asked = 1;
  /** Some waited at the last change. */
  #waited = false;

  /**
   * `now` in milliseconds; `changed` is called after each change of demand, `urgent` where it changes how many instances
   * are wanted. `siblings` are those of the function's revisions: an instance that changes its revision moves among them.
   */
  constructor(fn: TableFunction, now: () => number, changed: (urgent: boolean) => void, siblings: () => Iterable<Limiter> = () => []) {
    this.#fn = fn;
    this.#siblings = siblings;
    this.#now = now;
    this.#countedSince = now();
    this.#changed = changed;
  }

  get function(): TableFunction {
    return this.#fn;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** A new state of the function: endpoints come, go and change their revision. */
  update(fn: TableFunction): void {
    if (fn.revision !== this.#fn.revision) {
      this.#outcomes = { ended: 0, failed: 0 };
      this.#countedSince = this.#now();
    }
    this.#fn = fn;
    const listed = new Map(fn.endpoints.map((endpoint) => [endpoint.instanceUid, endpoint]));
    for (const [uid, slot] of this.#slots) {
      if (listed.has(uid)) continue;
      slot.endpoint = null;
      if (slot.inFlight === 0) this.#slots.delete(uid);
    }
    for (const [uid, endpoint] of listed) this.#list(uid, endpoint);
    this.#failure = null;
    if (fn.failure) this.#fail(fn.failure);
    this.#serve();
  }

  /** Takes a slot at once or queues; the queue's overflow is `QUEUE_FULL`. */
  acquire(waiter: Waiter): void {
    const reservation = this.#queue.allAvoid ? this.#reserve(waiter) : null;
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

  /** The client is gone. */
  cancel(waiter: Waiter): void {
    if (this.#queue.delete(waiter)) this.#tell();
  }

  /** An instance is left alone for a while. */
  rest(instanceUid: string, reason: RestReason): void {
    const slot = this.#slots.get(instanceUid);
    if (slot) slot.blockedUntil = this.#now() + REST_MS[reason];
  }

  /**
   * An instance has refused an invocation. That it serves something else is what this one request was told, and may lie in
   * the request: others are still sent there.
   */
  turnedAway(waiter: Waiter, instanceUid: string, why: Refusal): void {
    if (why !== "stale") return this.rest(instanceUid, why);
    waiter.avoided ??= new Map();
    waiter.avoided.set(instanceUid, this.#now() + AVOIDED_MS);
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
      if (this.#inFlight > 0) this.#queue.overflowed();
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
    for (const { instanceUid, endpoint, inFlight, blockedUntil } of this.#slots.values()) {
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
    this.#outcomes.ended += 1;
    if (failed) this.#outcomes.failed += 1;
  }

  demand(): FunctionDemand {
    const now = this.#now();
    const slots = [...this.#slots.values()];
    const head = this.#queue.oldest;
    return {
      key: this.#fn.key,
      revision: this.#fn.revision,
      waiting: this.#queue.length,
      inFlight: this.#inFlight,
      oldestWaitMs: head ? now - head.arrivedAt : 0,
      ...this.#outcomes,
      countedMs: now - this.#countedSince,
      instances: slots.map(({ instanceUid, inFlight, usedAt }) => ({ uid: instanceUid, inFlight, idleMs: now - usedAt })),
    };
  }

  /** Whoever waits is always urgent; else it is the number of instances that counts. */
  #tell(): void {
    const waiting = this.#queue.length;
    const wanted = Math.max(1, Math.ceil((waiting + this.#inFlight) / this.#fn.concurrency));
    const urgent = waiting > 0 || this.#waited || wanted !== this.#asked;
    this.#asked = wanted;
    this.#waited = waiting > 0;
    this.#changed(urgent);
  }

  #serve(): void {
    if (this.#queue.length === 0) return;
    for (let served = true; served; ) {
      served = false;
      for (const waiter of this.#queue.next()) {
        const reservation = this.#reserve(waiter);
        if (!reservation) continue;
        this.#queue.delete(waiter);
        this.#tell();
        waiter.granted(reservation);
        served = true;
        break;
      }
    }
  }

  #list(uid: string, endpoint: Endpoint): void {
    const now = this.#now();
    const slot = this.#slots.get(uid);
    if (!slot) {
      const fresh = newSlot(uid, endpoint, now);
      this.#slots.set(uid, fresh);
      for (const sibling of this.#siblings()) if (sibling !== this) sibling.#moveTo(this, fresh);
      if (fresh.inFlight === 0) this.#idle.push(fresh);
      return;
    }
    const known = slot.endpoint;
    if (known?.epoch !== endpoint.epoch || known.bootId !== endpoint.bootId) {
      slot.since = now;
      slot.blockedUntil = 0;
      slot.loaded = false;
    }
    if (known === null && slot.inFlight === 0) this.#idle.push(slot);
    slot.endpoint = endpoint;
  }

  /** No instance can be had: the function's own error is the answer, until another try is due. */
  #fail(failure: LoadFailure): void {
    if (this.#fn.endpoints.length > 0) return;
    const { reason, retryAfterMs } = failure;
    const [code, message] = [FAILURE_CODES[reason], wordsForOthers(this.#fn.name, failure)];
    this.#failure = { code, message, until: this.#now() + retryAfterMs };
    this.rejectAll(() => new RouterError(code, message, retryAfterMs));
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
    const ms = this.#inFlight > 0 ? this.#pace.untilEnded(this.#queue.length + 1, now) : Math.max(expectedStartMs, waitedMs);
    return Math.min(ms, queueTimeoutMs);
  }

  #broken(): RouterError | null {
    const left = this.#failure ? this.#failure.until - this.#now() : 0;
    return this.#failure && left > 0 ? new RouterError(this.#failure.code, this.#failure.message, left) : null;
  }

  #reserve({ avoided }: Waiter): Reservation | null {
    const now = this.#now();
    const may = avoided && ((slot: Slot) => !isAvoided(slot, avoided.get(slot.instanceUid), now));
    const idle = may ? this.#idle.filter(may) : this.#idle;
    const slots = may ? [...this.#slots.values()].filter(may) : this.#slots.values();
    const slot = pick(idle, slots, this.#fn.concurrency, now);
    if (!slot?.endpoint) return null;
    if (slot.inFlight === 0) {
      const at = this.#idle.lastIndexOf(slot);
      if (at >= 0) this.#idle.splice(at, 1);
    }
    if (this.#inFlight === 0) this.#pace.begins(now);
    slot.inFlight += 1;
    this.#inFlight += 1;
    slot.usedAt = now;
    return new Reservation(slot, slot.endpoint, this.#release);
  }

  /** What is in flight at another limiter counts here from now on: this one has taken its instances over. */
  adopt(other: Limiter): void {
    for (const [uid, slot] of [...other.#slots]) {
      if (slot.inFlight === 0) continue;
      const own = this.#slots.get(uid) ?? newSlot(uid, null, this.#now());
      this.#slots.set(uid, own);
      other.#moveTo(this, own);
    }
    this.#tell();
  }

  /** An instance belongs to that slot of another limiter from now on, with what is in flight on it. */
  #moveTo(other: Limiter, to: Slot): void {
    const slot = this.#slots.get(to.instanceUid);
    if (!slot) return;
    this.#slots.delete(slot.instanceUid);
    slot.endpoint = null;
    slot.moved = { release: other.#release, slot: to };
    to.inFlight += slot.inFlight;
    if (other.#inFlight === 0 && slot.inFlight > 0) other.#pace.begins(this.#now());
    other.#inFlight += slot.inFlight;
    this.#inFlight -= slot.inFlight;
    if (slot.inFlight > 0) this.#tell();
  }

  readonly #release = (slot: Slot): void => {
    if (slot.moved) return slot.moved.release(slot.moved.slot);
    slot.inFlight -= 1;
    this.#inFlight -= 1;
    slot.usedAt = this.#now();
    this.#pace.ended(slot.usedAt);
    if (slot.inFlight === 0) {
      if (slot.endpoint === null) this.#slots.delete(slot.instanceUid);
      else this.#idle.push(slot);
    }
    this.#serve();
    this.#tell();
  };
}

/** Until it has taken other code, or its time is up. */
function isAvoided({ since }: Slot, until: number | undefined, now: number): boolean {
  return until !== undefined && until > now && since <= until - AVOIDED_MS;
}

function newSlot(instanceUid: string, endpoint: Endpoint | null, now: number): Slot {
  return { instanceUid, endpoint, inFlight: 0, blockedUntil: 0, usedAt: now, since: now, loaded: false, moved: null };
}
