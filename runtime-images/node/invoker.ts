import type { IncomingMessage } from "node:http";
import { CALL_ID_HEADER } from "../protocol/headers.ts";
import { currentCall } from "./output.ts";
import type { GuardedResponse } from "./response.ts";

/** Runs one invocation; resolves when the handler has settled, and never rejects. */
export type Invoker = (req: IncomingMessage, res: GuardedResponse, callId: string) => Promise<void>;

/** An adapter for one signature; what it throws becomes the function's error. */
export type Handle = (req: IncomingMessage, res: GuardedResponse, callId: string) => unknown;

/** Gives each invocation its call id and turns a throwing handler into a 500 with its message. */
export function invokerOf(handle: Handle): Invoker {
  return async (req, res, callId) => {
    try {
      await currentCall.run(callId, handle, req, res, callId);
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      currentCall.run(callId, () => process.stderr.write(`${text}\n`));
      res.platformError(500, "FUNCTION_ERROR", error instanceof Error ? error.message : String(error));
    }
  };
}

export function callIdOf(req: IncomingMessage): string {
  return String(req.headers[CALL_ID_HEADER] ?? "");
}
