import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import type { Call } from "../../node/invocation/call.ts";
import { logError } from "../../node/invocation/describe.ts";
import type { Handle } from "../../node/invocation/invoker.ts";
import { platformError } from "../../node/invocation/response.ts";
import { between, endOf, isRepeatable, requestTo, type Upstream } from "./upstream.ts";

/** Passes invocations on to a command that serves HTTP, and its responses back: streams in both directions, trailers and early hints included. */
export function relay(upstream: Upstream): Handle {
  return (req, res, call) =>
    new Promise<void>((resolve) => {
      // However it ends. A client that has gone leaves nothing to be done.
      res.on("close", resolve);
      send(upstream, req, res, call);
    });
}

function send(upstream: Upstream, req: IncomingMessage, res: ServerResponse, call: Call, isKept = isRepeatable(req)): void {
  const out = requestTo(upstream, req, { isKept });
  const leave = () => out.destroy();
  res.on("close", leave);
  out.on("information", (info) => info.statusCode === 103 && hint(res, info.headers.link));
  out.on("response", (answer) => respond(upstream, answer, res, call));
  out.on("error", (error: NodeJS.ErrnoException) => {
    res.off("close", leave);
    if (res.closed || res.headersSent) return;
    // The program has closed a connection that it had kept, before it read this request.
    if (isKept && out.reusedSocket) send(upstream, req, res, call, false);
    else void failed(upstream, error, res, call);
  });
  if (isKept) out.end();
  else pass(req, out);
}

/** Passes a body on, and the trailers after it. */
function pass(from: IncomingMessage, to: ClientRequest | ServerResponse): void {
  from.pipe(to, { end: false });
  from.on("end", () => {
    if (from.rawTrailers.length > 0) to.addTrailers(pairsOf(between(from.rawTrailers)));
    to.end();
  });
}

/** Sends the command's response. One that breaks off is broken off for the client too. */
export function respond(upstream: Upstream, answer: IncomingMessage, res: ServerResponse, call: Call): void {
  const { statusCode = 0, statusMessage = "", rawHeaders } = answer;
  if (statusCode < 200) return void failed(upstream, new Error(`the status ${statusCode}`), res, call);
  // Node adds a date where the program sends none.
  res.writeHead(statusCode, statusMessage, between(rawHeaders));
  // The first chunk may come much later than the head.
  res.flushHeaders();
  answer.on("error", () => res.destroy());
  answer.on("close", () => answer.complete || res.destroy());
  pass(answer, res);
}

function hint(res: ServerResponse, link: string | string[] | undefined): void {
  try {
    if (link !== undefined) res.writeEarlyHints({ link });
  } catch (error) {
    logError(error, "an early hint is not sent: ");
  }
}

/** Answers for a command that gave no answer. */
export async function failed(upstream: Upstream, error: NodeJS.ErrnoException, res: ServerResponse, call: Call): Promise<void> {
  const how = await endOf(upstream);
  if (how !== null) return call.crashed(how);
  const refused = error.code === "ECONNREFUSED";
  const what = refused ? `the command does not listen on port ${upstream.port} any more` : `the command gave no valid response: ${error.message}`;
  logError(what);
  platformError(res, 502, "RESPONSE_INVALID", what);
}

function pairsOf(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i] as string, raw[2 * i + 1] as string]);
}
