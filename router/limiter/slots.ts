import type { Endpoint } from "../../pool-manager/client/contract.ts";
import { CompletionPace } from "./completion-pace.ts";
import { pick } from "./pick.ts";
import { isAvoided } from "./rest.ts";
import { Reservation, type Slot } from "./slot.ts";

export interface SlotsOptions {
  /** In milliseconds. */
  now: () => number;
  /** A slot was released: somebody who waits may have it. */
  released: () => void;
  /** Invocations in flight count at other slots from now on. */
  moved: () => void;
  /** The slots of the function's revisions: an instance that changes its revision moves among them. */
  siblings: () => Iterable<Slots>;
}

/** The slots of one revision's instances: what is listed, reserved and idle, and how quickly invocations end. */
export class Slots {
  readonly #options: SlotsOptions;
  readonly #byUid = new Map<string, Slot>();
  /** The listed slots without invocations. A stack: its top became idle last. */
  readonly #idle: Slot[] = [];
  readonly #pace = new CompletionPace();
  #inFlight = 0;

  constructor(options: SlotsOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get(instanceUid: string): Slot | undefined {
    return this.#byUid.get(instanceUid);
  }

  all(): IterableIterator<Slot> {
    return this.#byUid.values();
  }

  /** Milliseconds until so many more invocations have ended, while some are in flight. */
  untilEnded(count: number, now: number): number {
    return this.#pace.untilEnded(count, now);
  }

  /** These are all endpoints: they come, go and change their revision. */
  list(endpoints: readonly Endpoint[]): void {
    const listed = new Map(endpoints.map((endpoint) => [endpoint.instanceUid, endpoint]));
    for (const [uid, slot] of this.#byUid) {
      if (listed.has(uid)) continue;
      slot.endpoint = null;
      if (slot.inFlight > 0) continue;
      this.#byUid.delete(uid);
      this.#leaveIdle(slot);
    }
    for (const [uid, endpoint] of listed) this.#listOne(uid, endpoint);
  }

  /** `avoided`: until when which instances are not to be picked. */
  reserve(avoided: ReadonlyMap<string, number> | null, concurrency: number): Reservation | null {
    const now = this.#options.now();
    const may = avoided && ((slot: Slot) => !isAvoided(slot, avoided.get(slot.instanceUid), now));
    const idle = may ? this.#idle.filter(may) : this.#idle;
    const slots = may ? [...this.#byUid.values()].filter(may) : this.#byUid.values();
    const slot = pick(idle, slots, concurrency, now);
    if (!slot?.endpoint) return null;
    if (slot.inFlight === 0) this.#leaveIdle(slot);
    if (this.#inFlight === 0) this.#pace.begins(now);
    slot.inFlight += 1;
    this.#inFlight += 1;
    slot.usedAt = now;
    return new Reservation(slot, slot.endpoint, this.#release);
  }

  /** Counts the others' invocations in flight here from now on. */
  adopt(others: Slots): void {
    for (const [uid, slot] of [...others.#byUid]) {
      if (slot.inFlight === 0) continue;
      const own = this.#byUid.get(uid) ?? newSlot(uid, null, this.#options.now());
      this.#byUid.set(uid, own);
      others.#moveTo(this, own);
    }
  }

  #listOne(uid: string, endpoint: Endpoint): void {
    const now = this.#options.now();
    const slot = this.#byUid.get(uid);
    if (!slot) {
      const fresh = newSlot(uid, endpoint, now);
      this.#byUid.set(uid, fresh);
      for (const sibling of this.#options.siblings()) if (sibling !== this) sibling.#moveTo(this, fresh);
      if (fresh.inFlight === 0) this.#idle.push(fresh);
      return;
    }
    const known = slot.endpoint;
    if (known?.epoch !== endpoint.epoch || known.bootId !== endpoint.bootId) {
      slot.since = now;
      slot.blockedUntil = 0;
      slot.loaded = false;
    }
    slot.endpoint = endpoint;
  }

  /** An instance belongs to that slot of others from now on, with what is in flight on it. */
  #moveTo(others: Slots, to: Slot): void {
    const slot = this.#byUid.get(to.instanceUid);
    if (!slot) return;
    this.#byUid.delete(slot.instanceUid);
    if (slot.inFlight === 0) this.#leaveIdle(slot);
    else if (to.inFlight === 0) others.#leaveIdle(to);
    slot.endpoint = null;
    slot.moved = { release: others.#release, slot: to };
    to.inFlight += slot.inFlight;
    if (others.#inFlight === 0 && slot.inFlight > 0) others.#pace.begins(this.#options.now());
    others.#inFlight += slot.inFlight;
    this.#inFlight -= slot.inFlight;
    if (slot.inFlight > 0) this.#options.moved();
  }

  #leaveIdle(slot: Slot): void {
    const at = this.#idle.lastIndexOf(slot);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  readonly #release = (slot: Slot): void => {
    if (slot.moved) return slot.moved.release(slot.moved.slot);
    slot.inFlight -= 1;
    this.#inFlight -= 1;
    slot.usedAt = this.#options.now();
    this.#pace.ended(slot.usedAt);
    if (slot.inFlight === 0) {
      if (slot.endpoint === null) this.#byUid.delete(slot.instanceUid);
      else this.#idle.push(slot);
    }
    this.#options.released();
  };
}

function newSlot(instanceUid: string, endpoint: Endpoint | null, now: number): Slot {
  return { instanceUid, endpoint, inFlight: 0, blockedUntil: 0, usedAt: now, since: now, loaded: false, moved: null };
}
