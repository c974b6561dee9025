import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage, ServerResponse } from "node:http";
import { CALL_ID_HEADER } from "../../protocol/headers.ts";

/** One invocation while user code runs it. */
export interface Call {
  readonly id: string;
  readonly res: ServerResponse;
  /** Work that goes on after the response: the invocation has settled when all of it has. */
  background: Promise<unknown>[] | null;
  /** An error that no code caught came from this invocation: it is answered, and no longer waited for. */
  crashed(message: string): void;
}

/** The invocation that the running code belongs to. */
export const currentCall = new AsyncLocalStorage<Call>();

export function callIdOf(req: IncomingMessage): string {
  return String(req.headers[CALL_ID_HEADER] ?? "");
}
