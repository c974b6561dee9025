import type { TableFunction } from "../../pool-manager/client/contract.ts";
import { expiry } from "../../pool-manager/client/expiry.ts";
import type { Reservation } from "../limiter/slot.ts";

/** An instance tells by itself that its load took too long, and why; only one that does not is given up from here. */
const LOAD_GRACE_MS = 1000;

export type Overrun = "load" | "run";

/**
 * How long one attempt may take: `loadTimeout` until the code has loaded, where that is not known yet, then `timeout`.
 * The instance tells of the change with 102; where one does not, the table has told of it by the time that the load's
 * bound is reached.
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

  /** The code has loaded, and the invocation runs from now on. */
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
