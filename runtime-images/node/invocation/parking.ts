import type { IncomingMessage } from "node:http";
import type { Admission } from "../../protocol/admission.ts";
import { timers } from "../timers.ts";
import { type InvocationResponse, parkedFor, refuse } from "./response.ts";

/** A request, its response if it is not run, and the function that runs it. */
export interface Exchange {
  req: IncomingMessage;
  res: InvocationResponse;
  run: () => void;
}

interface Parked extends Exchange {
  since: number;
  deadline: NodeJS.Timeout;
}

/** How long a request waits on a worker that receives no load order. */
const SPARE_PARK_MS = 15_000;
/** How long clients may take to receive the responses to what has waited. */
const ANSWER_MS = 1000;

/** Requests that a worker parks, unread, until its code has loaded or its admission changes otherwise. */
export class Parking {
  readonly #admission: Admission;
  readonly #parked = new Set<Parked>();

  constructor(admission: Admission) {
    this.#admission = admission;
  }

  park(exchange: Exchange): void {
    const deadline = timers.setTimeout(() => this.#giveUp(parked), SPARE_PARK_MS);
    const parked: Parked = { ...exchange, since: performance.now(), deadline };
    this.#parked.add(parked);
    exchange.res.on("close", () => {
      if (this.#take(parked)) this.#admission.unpark();
    });
  }

  /**
   * Empties the parking and calls `resume` with each request, which may park it once more. Resolves when all of them have
   * been answered, or after `ANSWER_MS`.
   */
  async release(resume: (exchange: Exchange) => void): Promise<void> {
    const released = [...this.#parked];
    const answered = released.map(({ res }) => new Promise((resolve) => res.once("close", resolve)));
    for (const exchange of released) {
      this.#take(exchange);
      parkedFor(exchange.res, performance.now() - exchange.since);
      resume(exchange);
    }
    if (answered.length === 0) return;
    await Promise.race([Promise.all(answered), new Promise((resolve) => timers.setTimeout(resolve, ANSWER_MS).unref())]);
  }

  #giveUp(exchange: Parked): void {
    if (this.#admission.assigned || !this.#take(exchange)) return;
    this.#admission.unpark();
    refuse(exchange.res, "stale");
  }

  #take(exchange: Parked): boolean {
    timers.clearTimeout(exchange.deadline);
    return this.#parked.delete(exchange);
  }
}
