import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { Call } from "../../node/invocation/call.ts";

/** An invocation that a bootstrap gets as an event. */
export interface Invocation {
  /** The call id; another one if two running invocations have the same. */
  id: string;
  /** The event as JSON. */
  event: string;
  /** Headers of the answer to `next`. */
  headers: Record<string, string>;
  res: ServerResponse;
  call: Call;
  /** Whether a client of Lambda's API has sent the event: its answer is the result itself. */
  isPayload: boolean;
  /** It is answered, or its client has gone before it was taken. */
  settle(): void;
}

/** Invocations and polls for them, in order of their arrival. A bootstrap runs as many at once as it polls for. */
export class Invocations {
  readonly #waiting: Invocation[] = [];
  readonly #polls: ServerResponse[] = [];
  readonly #running = new Map<string, Invocation>();

  idOf(callId: string): string {
    const isTaken = callId === "" || this.#running.has(callId) || this.#waiting.some(({ id }) => id === callId);
    return isTaken ? randomUUID() : callId;
  }

  offer(invocation: Invocation): void {
    this.#waiting.push(invocation);
    invocation.res.on("close", () => this.#withdraw(invocation));
    this.#match();
  }

  poll(answer: ServerResponse): void {
    this.#polls.push(answer);
    answer.on("close", () => remove(this.#polls, answer));
    this.#match();
  }

  /** Takes the invocation that is answered; undefined: none of this id runs. */
  take(id: string): Invocation | undefined {
    const found = this.#running.get(id);
    this.#running.delete(id);
    return found;
  }

  /** Takes all, since nobody answers them any more. */
  takeAll(): Invocation[] {
    const all = [...this.#running.values(), ...this.#waiting.splice(0)];
    this.#running.clear();
    return all;
  }

  #withdraw(invocation: Invocation): void {
    if (remove(this.#waiting, invocation)) invocation.settle();
  }

  #match(): void {
    while (this.#waiting.length > 0 && this.#polls.length > 0) {
      const invocation = this.#waiting.shift() as Invocation;
      this.#running.set(invocation.id, invocation);
      const { event, headers } = invocation;
      const length = Buffer.byteLength(event);
      (this.#polls.shift() as ServerResponse).writeHead(200, { "content-type": "application/json", "content-length": length, ...headers }).end(event);
    }
  }
}

function remove<T>(list: T[], item: T): boolean {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
  return at >= 0;
}
