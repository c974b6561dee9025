import type { Endpoint, TableFunction } from "../../pool-manager/client/contract.ts";
import type { Clock } from "../clock.ts";
import type { Reservation } from "../limiter/slot.ts";

/** How long an instance may exceed its load timeout. It reports a slow load, with the reason, by itself; the router gives up only on one that does not. */
const LOAD_GRACE_MS = 1000;

export type Overrun = "load" | "run";

/**
 * One try of an invocation on one instance: its slot and its time limit, which is `loadTimeout` until the code has loaded,
 * unless it is known to have, then `timeout`. The instance reports that the code has loaded with a 102 response. If it does
 * not, the table has reported it before the limit of the load is reached.
 */
export class Attempt {
  readonly #fn: TableFunction;
  readonly #reservation: Reservation;
  readonly #clock: Clock;
  readonly #overrun: (what: Overrun) => void;
  #isLoading: boolean;
  #endLimit: () => void;

  constructor(fn: TableFunction, reservation: Reservation, clock: Clock, overrun: (what: Overrun) => void) {
    this.#clock = clock;
    this.#fn = fn;
    this.#reservation = reservation;
    this.#overrun = overrun;
    this.#isLoading = !reservation.loaded;
    this.#endLimit = this.#isLoading ? clock.after(fn.loadTimeoutMs + LOAD_GRACE_MS, () => this.#loadOver()) : this.#startRun();
  }

  get endpoint(): Endpoint {
    return this.#reservation.endpoint;
  }

  /** Starts the limit of the run: the code has loaded. */
  runs(): void {
    if (!this.#isLoading) return;
    this.endLimit();
    this.#endLimit = this.#startRun();
  }

  /** The function has answered. */
  answered(): void {
    this.#reservation.answered();
  }

  /** It has all the time that it wants. */
  endLimit(): void {
    this.#isLoading = false;
    this.#endLimit();
  }

  /** Returns its slot; only the first call counts. */
  release(): void {
    this.#reservation.release();
  }

  #loadOver(): void {
    if (this.#reservation.loaded) this.runs();
    else this.#overrun("load");
  }

  #startRun(): () => void {
    return this.#clock.after(this.#fn.timeoutMs, () => this.#overrun("run"));
  }
}
