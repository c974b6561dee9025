import type { TableFunction } from "../../pool-manager/client/contract.ts";
import { expiry } from "../../pool-manager/client/expiry.ts";
import type { Reservation } from "../limiter/slot.ts";

/** How long an instance may exceed its load timeout. It reports a slow load, with the reason, by itself; the router gives up only on one that does not. */
const LOAD_GRACE_MS = 1000;

export type Overrun = "load" | "run";

/**
 * The time limit of one attempt: `loadTimeout` until the code has loaded, unless it is known to have, then `timeout`. The
 * instance reports that the code has loaded with a 102 response. If it does not, the table has reported it before the
 * limit of the load is reached.
 */
export class AttemptTimeout {
  readonly #fn: TableFunction;
  readonly #reservation: Reservation;
  readonly #overrun: (what: Overrun) => void;
  #end: () => void;
  #loading: boolean;

  constructor(fn: TableFunction, reservation: Reservation, overrun: (what: Overrun) => void) {
    this.#fn = fn;
    this.#reservation = reservation;
    this.#overrun = overrun;
    this.#loading = !reservation.loaded;
    this.#end = this.#loading ? expiry(fn.loadTimeoutMs + LOAD_GRACE_MS, () => this.#loadOver()) : this.#startRun();
  }

  /** Starts the limit of the run: the code has loaded. */
  runs(): void {
    if (!this.#loading) return;
    this.#loading = false;
    this.#end();
    this.#end = this.#startRun();
  }

  end(): void {
    this.#end();
  }

  #loadOver(): void {
    if (this.#reservation.loaded) this.runs();
    else this.#overrun("load");
  }

  #startRun(): () => void {
    return expiry(this.#fn.timeoutMs, () => this.#overrun("run"));
  }
}
