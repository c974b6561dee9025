import type { RouterError } from "../errors.ts";
import type { Reservation } from "./slot.ts";

/** An invocation that waits for a slot. Exactly one of the callbacks is called, unless it is cancelled. */
export interface Waiter {
  granted(reservation: Reservation): void;
  rejected(error: RouterError): void;
  /** When the invocation arrived, which is its place in the queue. */
  readonly arrivedAt: number;
  /** By instance uid, until when this invocation is not sent there again; null: none has refused it. */
  readonly avoided: ReadonlyMap<string, number> | null;
  /** An instance has refused it because it serves something else. */
  avoid(instanceUid: string, until: number): void;
}

/**
 * Invocations that wait for a slot of one function. The oldest is served first until one has to be rejected. Then more
 * arrive than can be served: in order of arrival each would wait nearly as long as the limit, even long after the burst.
 * From then on, until the queue is empty, the newest is served first, and the others keep waiting for the slots that are
 * left.
 */
export class Queue {
  /** In order of arrival. */
  readonly #waiters: Waiter[] = [];
  #newestFirst = false;

  get length(): number {
    return this.#waiters.length;
  }

  /** The waiter that has waited longest. */
  get oldest(): Waiter | undefined {
    return this.#waiters[0];
  }

  push(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }

  /** Puts a waiter back in its former place. */
  restore(waiter: Waiter): void {
    const at = this.#waiters.findIndex((other) => other.arrivedAt > waiter.arrivedAt);
    this.#waiters.splice(at < 0 ? this.#waiters.length : at, 0, waiter);
  }

  /** Removes a waiter; false: it is not in the queue. */
  delete(waiter: Waiter): boolean {
    const at = this.#newestFirst ? this.#waiters.lastIndexOf(waiter) : this.#waiters.indexOf(waiter);
    if (at < 0) return false;
    this.#waiters.splice(at, 1);
    if (this.#waiters.length === 0) this.#newestFirst = false;
    return true;
  }

  /** Empties the queue and returns its waiters. */
  takeAll(): Waiter[] {
    this.#newestFirst = false;
    return this.#waiters.splice(0);
  }

  /** Records that an invocation was rejected because too many wait. */
  overflowed(): void {
    this.#newestFirst = this.#waiters.length > 0;
  }

  /** Whether every waiter avoids some instances. If so, none has precedence over a new arrival for the other instances. */
  get allAvoid(): boolean {
    return this.#waiters.every(({ avoided }) => avoided);
  }

  /** The waiters that may get the next slot: the one whose turn it is and, as long as a waiter avoids instances, the one after it. */
  *next(): Iterable<Waiter> {
    const { length } = this.#waiters;
    for (let i = 0; i < length; i++) {
      const waiter = this.#waiters[this.#newestFirst ? length - 1 - i : i];
      if (!waiter) return;
      yield waiter;
      if (!waiter.avoided) return;
    }
  }
}
