import type { RouterError } from "../errors.ts";
import type { Reservation } from "./slot.ts";

/** An invocation that wants a slot. Exactly one of the callbacks is called, unless it is cancelled. */
export interface Waiter {
  granted(reservation: Reservation): void;
  rejected(error: RouterError): void;
  /** When the invocation arrived; its place in the queue. */
  arrivedAt: number;
  /** Instances that serve something else by what they said to just this invocation: until when it is not sent there again. */
  avoided?: Map<string, number>;
}

/**
 * Invocations that wait for a slot of one function. Who came first is served first, until somebody has to be turned away:
 * more come than can be served, and in their order each would wait for nearly as long as anybody may, also when the crowd
 * is long over. From then on, until nobody waits any more, who came last is served first: the others wait on, and get
 * what is left.
 */
export class Queue {
  /** In the order of their arrival. */
  readonly #waiters: Waiter[] = [];
  #newestFirst = false;

  get length(): number {
    return this.#waiters.length;
  }

  /** The one that has waited longest. */
  get oldest(): Waiter | undefined {
    return this.#waiters[0];
  }

  push(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }

  /** At the place that it had. */
  restore(waiter: Waiter): void {
    const at = this.#waiters.findIndex((other) => other.arrivedAt > waiter.arrivedAt);
    this.#waiters.splice(at < 0 ? this.#waiters.length : at, 0, waiter);
  }

  /** False: it does not wait. */
  delete(waiter: Waiter): boolean {
    const at = this.#newestFirst ? this.#waiters.lastIndexOf(waiter) : this.#waiters.indexOf(waiter);
    if (at < 0) return false;
    this.#waiters.splice(at, 1);
    if (this.#waiters.length === 0) this.#newestFirst = false;
    return true;
  }

  /** All of them, who wait no more. */
  takeAll(): Waiter[] {
    this.#newestFirst = false;
    return this.#waiters.splice(0);
  }

  /** Somebody was turned away because too many wait. */
  overflowed(): void {
    this.#newestFirst = this.#waiters.length > 0;
  }

  /** Everybody who waits stays away from some instances: none of them has a better right to the others than whoever comes. */
  get allAvoid(): boolean {
    return this.#waiters.every(({ avoided }) => avoided);
  }

  /** Who may get the next slot: the one whose turn it is, and where that one stays away from instances, the next too. */
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
