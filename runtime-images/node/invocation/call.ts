import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage, ServerResponse } from "node:http";
import { CALL_ID_HEADER, LOG_TAIL_BYTES } from "../../protocol/headers.ts";
import { TRACEPARENT } from "../../protocol/telemetry/trace-context.ts";

/** An invocation whose user code runs. */
export interface Call {
  readonly id: string;
  /** The value of `traceparent`, as it came; absent: there is none. */
  readonly traceparent?: string | undefined;
  readonly res: ServerResponse;
  /** Null: the caller does not ask for it. */
  readonly log?: LogTail | null;
  /** Work that continues after the response; the invocation settles when all of it has settled. */
  background: Promise<unknown>[] | null;
  /** Called for an uncaught error of this invocation: answers it, and stops waiting for it. */
  crashed(message: string): void;
}

/** The end of what an invocation writes. */
export class LogTail {
  #bytes = Buffer.alloc(0);

  /** A line without its end. */
  add(line: string): void {
    const all = Buffer.concat([this.#bytes, Buffer.from(`${line}\n`)]);
    this.#bytes = all.subarray(Math.max(0, all.length - LOG_TAIL_BYTES));
  }

  toString(): string {
    return this.#bytes.toString("base64");
  }
}

/** The invocation that the running code belongs to. */
export const currentCall = new AsyncLocalStorage<Call>();

/** The identity of an invocation, by its headers. */
export function identityOf(req: IncomingMessage): Pick<Call, "id" | "traceparent"> {
  // Node joins headers that are repeated, and what it joins is no `traceparent`.
  return { id: callIdOf(req), traceparent: req.headers[TRACEPARENT] as string | undefined };
}

export function callIdOf(req: IncomingMessage): string {
  return String(req.headers[CALL_ID_HEADER] ?? "");
}
