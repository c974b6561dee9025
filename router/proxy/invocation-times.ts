import type { StartKind } from "../../pool-manager/client/contract.ts";
import { CALL_ID_HEADER } from "../../runtime-images/protocol/headers.ts";
import type { Reservation } from "../limiter/slot.ts";
import type { TracedInvocation } from "../traces/traces.ts";
import { serverTiming } from "./headers.ts";

/** How an invocation came to its instance, and what its time went to. All times are in milliseconds. */
export class InvocationTimes {
  readonly #arrivedAt: number;
  readonly #now: () => number;
  #grantedAt = 0;
  #claimMs = 0;
  #parkedMs = 0;
  #answeredAt = 0;
  #overheadMs = 0;
  #start: StartKind = "warm";
  #revision = "";

  constructor(arrivedAt: number, now: () => number) {
    this.#arrivedAt = arrivedAt;
    this.#now = now;
  }

  /** Empty before the first slot. */
  get revision(): string {
    return this.#revision;
  }

  get start(): StartKind {
    return this.#start;
  }

  /** The time that Berth has added: the wait for a slot, and for code to load. */
  get overheadMs(): number {
    return this.#overheadMs;
  }

  /** The wait for a slot, without the claim of an instance; all of the time if there was none. */
  get queueMs(): number {
    return (this.#grantedAt || this.#now()) - this.#arrivedAt - this.#claimMs;
  }

  get claimMs(): number {
    return this.#claimMs;
  }

  get loadMs(): number {
    return this.#parkedMs;
  }

  /** From the slot to the beginning of the response, without the load. */
  get runMs(): number {
    return this.#grantedAt === 0 ? 0 : (this.#answeredAt || this.#now()) - this.#grantedAt - this.#parkedMs;
  }

  get totalMs(): number {
    return this.#now() - this.#arrivedAt;
  }

  /** The times at which its phases begin, for its trace. */
  get phases(): Pick<TracedInvocation, "arrivedAt" | "grantedAt" | "claimMs" | "parkedMs" | "answeredAt" | "endedAt"> {
    const times = { arrivedAt: this.#arrivedAt, claimMs: this.#claimMs, parkedMs: this.#parkedMs, endedAt: this.#now() };
    return { ...times, grantedAt: this.#grantedAt || null, answeredAt: this.#answeredAt || null };
  }

  granted({ endpoint, slot }: Reservation): void {
    this.#revision = endpoint.revision;
    this.#grantedAt = this.#now();
    // An invocation that has waited since before the endpoint was there has experienced its start.
    const started = this.#arrivedAt < slot.since;
    this.#start = started ? endpoint.start : "warm";
    this.#claimMs = started ? endpoint.claimMs : 0;
  }

  /** The response has begun; `parkedMs` of its time went to loading the code. */
  answered(parkedMs: number): void {
    this.#overheadMs = this.#grantedAt - this.#arrivedAt + parkedMs;
    this.#parkedMs = parkedMs;
    this.#answeredAt = this.#now();
  }

  /** Adds what the client is told about its invocation. */
  describe(headers: string[], callId: string, parkedMs: number): void {
    const queue = this.queueMs;
    const run = this.#now() - this.#grantedAt - parkedMs;
    headers.push(CALL_ID_HEADER, callId, "x-berth-start", this.#start, "x-berth-revision", this.#revision);
    headers.push("server-timing", serverTiming({ queue, claim: this.#claimMs, load: parkedMs, run }));
  }
}
