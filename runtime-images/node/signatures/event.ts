import type { ServerResponse } from "node:http";
import { readBody } from "../invocation/body.ts";
import { logError } from "../invocation/describe.ts";
import type { Handle } from "../invocation/invoker.ts";
import { platformError } from "../invocation/response.ts";
import { readEvent } from "./event-request.ts";
import { type BackgroundEvent, BatchError, EventError } from "./google-event.ts";

type Callback = (error?: unknown, result?: unknown) => void;
type EventHandler = (data: unknown, context: unknown, callback?: Callback) => unknown;

/** Calls background functions of Google's functions-framework: `(data, context)` or, with a third parameter, `(data, context, callback)`. */
export function eventHandle(target: unknown): Handle {
  const handler = target as EventHandler;
  return async (req, res) => {
    if (req.method !== "POST") return platformError(res, 405, "METHOD_NOT_ALLOWED", "an event must be sent by POST");
    let event: BackgroundEvent;
    try {
      event = readEvent(req.headers, req.url ?? "/", await readBody(req));
    } catch (error) {
      if (!(error instanceof EventError)) throw error;
      if (error instanceof BatchError) return platformError(res, 415, "EVENT_BATCHED", error.message);
      return platformError(res, 400, "EVENT_INVALID", error.message);
    }
    send(await call(handler, event), res);
  };
}

function call(handler: EventHandler, { data, context }: BackgroundEvent): Promise<unknown> {
  if (handler.length < 3) return Promise.resolve(handler(data, context));
  return new Promise((resolve, reject) => {
    const returned = handler(data, context, (error, result) => (error ? reject(error) : resolve(result)));
    // The function answers by its callback, but a rejection is an error too.
    Promise.resolve(returned).catch(reject);
  });
}

/** Sends the result, for callers that read it; an event counts as accepted whatever its result is. */
function send(result: unknown, res: ServerResponse): void {
  const { type, body } = bodyOf(result);
  if (body === undefined) return void res.writeHead(204).end();
  res.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(body) });
  res.end(body);
}

function bodyOf(result: unknown): { type: string; body: string | Buffer | undefined } {
  if (typeof result === "string") return { type: "text/html; charset=utf-8", body: result };
  if (result instanceof Uint8Array) return { type: "application/octet-stream", body: Buffer.from(result) };
  return { type: "application/json; charset=utf-8", body: result === null ? undefined : jsonOf(result) };
}

function jsonOf(result: unknown): string | undefined {
  try {
    return JSON.stringify(result);
  } catch (error) {
    logError(error, "the result is not sent: ");
    return undefined;
  }
}
