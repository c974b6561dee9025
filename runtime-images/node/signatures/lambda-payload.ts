import type { IncomingMessage, ServerResponse } from "node:http";
import { EVENT_HEADER } from "../../protocol/headers.ts";
import type { Call } from "../invocation/call.ts";
import { logError, stackOf, summaryOf } from "../invocation/describe.ts";
import { flushOutput } from "../invocation/output.ts";
import { errorAnswer, platformError, tellLog } from "../invocation/response.ts";

/** The longest message and stack of an error, in characters. */
const MAX_TEXT = 4096;

/** Whether the body of a request is itself the event: a client of Lambda's API has sent it. */
export function isPayload(req: IncomingMessage): boolean {
  return req.headers[EVENT_HEADER] !== undefined;
}

/** The event that a body contains, an empty object if there is none; undefined: it is not JSON, which has been answered. */
export function payloadOf(body: Buffer, res: ServerResponse): unknown {
  if (body.length === 0) return {};
  try {
    return JSON.parse(body.toString());
  } catch (error) {
    platformError(res, 400, "PAYLOAD_INVALID", `the payload is not JSON: ${(error as Error).message}`);
    return undefined;
  }
}

/** Sends what a handler returns for an event: the result itself, as JSON, whatever fields it has. */
export function sendPayload(result: unknown, res: ServerResponse): void {
  const text = JSON.stringify(result) ?? "null";
  res.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  res.end(text);
}

/** Answers with what a handler has thrown, in the form in which Lambda's runtime for Node tells it. Never throws. */
export function answerThrown(error: unknown, call: Call): void {
  const { res } = call;
  logError(error);
  tellLogOf(call);
  const isError = error instanceof Error;
  answerFault(res, { errorType: isError ? error.name : typeof error, errorMessage: summaryOf(error), trace: isError ? stackOf(error) : "" });
}

/** Tells the caller who asks for it the end of the log, as far as it has been written. */
export function tellLogOf(call: Call): void {
  if (!call.log || call.res.headersSent) return;
  flushOutput(call);
  tellLog(call.res, String(call.log));
}

/** Answers with the description of an error, as Lambda's clients read it. `trace` has a frame in each line. */
export function answerFault(res: ServerResponse, { errorType, errorMessage, trace }: { errorType: string; errorMessage: string; trace: string }): void {
  const frames = trace === "" ? [] : trace.slice(0, MAX_TEXT).split("\n");
  errorAnswer(res, 500, "FUNCTION_ERROR", { errorType, errorMessage: errorMessage.slice(0, MAX_TEXT), trace: frames });
}
