import type { Endpoint, TableFunction } from "../../pool-manager/client/contract.ts";
import type { Refusal } from "../../runtime-images/protocol/headers.ts";
import type { RouterErrorCode } from "../errors.ts";
import type { Reservation } from "../limiter/slot.ts";
import { AttemptTimeout, type Overrun } from "./attempt-timeout.ts";

/** What came in place of a response for the client: a refusal, or an error whose words the client does not get. */
export type InsteadOfResponse = { kind: "refused"; why: Refusal } | { kind: "veiled"; code: RouterErrorCode };

/** One try of an invocation on one instance: its slot, how long it may take, and how far it has got on its connection. */
export class Attempt {
  readonly #reservation: Reservation;
  /** Null once it has ended. */
  #timeout: AttemptTimeout | null;
  #abort: ((reason?: Error) => void) | null = null;
  #isOnWire = false;
  #instead: InsteadOfResponse | null = null;

  constructor(fn: TableFunction, reservation: Reservation, overrun: (what: Overrun) => void) {
    this.#reservation = reservation;
    this.#timeout = new AttemptTimeout(fn, reservation, overrun);
  }

  get endpoint(): Endpoint {
    return this.#reservation.endpoint;
  }

  /** The request has been written, in part at least: the function may have run. */
  get isOnWire(): boolean {
    return this.#isOnWire;
  }

  /** The connection has the request, and will tell its end. */
  get isOpen(): boolean {
    return this.#abort !== null;
  }

  get instead(): InsteadOfResponse | null {
    return this.#instead;
  }

  sent(abort: (reason?: Error) => void): void {
    this.#abort = abort;
    this.#isOnWire = true;
  }

  /** The code has loaded, and the invocation runs from now on. */
  runs(): void {
    this.#timeout?.runs();
  }

  answeredInstead(instead: InsteadOfResponse): void {
    this.#instead = instead;
  }

  /** The function has answered. */
  answered(): void {
    this.#reservation.answered();
  }

  /** The connection is the client's from now on, for as long as either wants it. */
  joined(abort: () => void): void {
    this.endTimeout();
    this.#abort = abort;
  }

  /** The connection has told the end: nothing is left to abort. */
  closed(): void {
    this.#abort = null;
  }

  abort(reason: Error): void {
    this.#abort?.(reason);
  }

  /** It has all the time that it wants. */
  endTimeout(): void {
    this.#timeout?.end();
    this.#timeout = null;
  }

  /** Returns its slot; only the first call counts. */
  release(): void {
    this.#reservation.release();
  }
}
