import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage, ServerResponse } from "node:http";
import { CALL_ID_HEADER } from "../../protocol/headers.ts";

/** An invocation whose user code runs. */
export interface Call {
  readonly id: string;
  readonly res: ServerResponse;
  /** Work that continues after the response; the invocation settles when all of it has settled. */
  background: Promise<unknown>[] | null;
  /** Called for an uncaught error of this invocation: answers it, and stops waiting for it. */
  crashed(message: string): void;
}

/** The invocation that the running code belongs to. */
export const currentCall = new AsyncLocalStorage<Call>();

export function callIdOf(req: IncomingMessage): string {
  return String(req.headers[CALL_ID_HEADER] ?? "");
}
