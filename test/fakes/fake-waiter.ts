import type { RouterError } from "../../router/errors.ts";
import type { Waiter } from "../../router/limiter/queue.ts";
import type { Reservation } from "../../router/limiter/slot.ts";

/** An invocation that keeps the slot that it is granted, or the error that rejects it. */
export class FakeWaiter implements Waiter {
  readonly arrivedAt: number;
  reservation: Reservation | null = null;
  error: RouterError | null = null;
  #avoided: Map<string, number> | null = null;
  readonly #told: Partial<Pick<Waiter, "granted" | "rejected">>;

  constructor(arrivedAt = 0, told: Partial<Pick<Waiter, "granted" | "rejected">> = {}) {
    this.arrivedAt = arrivedAt;
    this.#told = told;
  }

  get avoided(): ReadonlyMap<string, number> | null {
    return this.#avoided;
  }

  avoid(instanceUid: string, until: number): void {
    this.#avoided = (this.#avoided ?? new Map()).set(instanceUid, until);
  }

  granted(reservation: Reservation): void {
    this.reservation = reservation;
    this.#told.granted?.(reservation);
  }

  rejected(error: RouterError): void {
    this.error = error;
    this.#told.rejected?.(error);
  }
}
