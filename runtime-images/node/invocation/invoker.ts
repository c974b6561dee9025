import type { IncomingMessage, ServerResponse } from "node:http";
import { type Call, currentCall } from "./call.ts";
import { logError, summaryOf } from "./describe.ts";
import { platformError } from "./response.ts";

/** Runs one invocation; resolves when the handler and its background work have settled, and never rejects. */
export type Invoker = (req: IncomingMessage, call: Call) => Promise<void>;

/** An adapter for one signature; an error that it throws is the function's. */
export type Handle = (req: IncomingMessage, res: ServerResponse, call: Call) => unknown;

export function invokerOf(handle: Handle): Invoker {
  return (req, call) => currentCall.run(call, run, handle, req, call);
}

async function run(handle: Handle, req: IncomingMessage, call: Call): Promise<void> {
  try {
    await handle(req, call.res, call);
  } catch (error) {
    answerError(call, error);
  }
  while (call.background) {
    const pending = call.background;
    call.background = null;
    await Promise.all(pending);
  }
}

/** Answers 500 with the message of the thrown value; its stack goes to the function's log. */
export function answerError(call: Call, error: unknown): void {
  logError(error);
  platformError(call.res, 500, "FUNCTION_ERROR", summaryOf(error));
}
