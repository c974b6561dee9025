import type { IncomingMessage, ServerResponse } from "node:http";
import { CALL_ID_HEADER, ERROR_HEADER } from "../runtime-images/protocol/headers.ts";
import type { RouterError } from "./errors.ts";

/** How long the rest of a body that nobody wants is read and dropped. Milliseconds. */
const LINGER_MS = 500;

/** Answers with an error of the router's own. */
export function sendError(req: IncomingMessage, res: ServerResponse, error: RouterError, callId?: string): void {
  const body = JSON.stringify({ error: { code: error.code, message: error.message, fix: error.fix } });
  res.statusCode = error.status;
  res.setHeader("content-type", "application/json");
  res.setHeader("content-length", Buffer.byteLength(body));
  res.setHeader(ERROR_HEADER, error.code);
  if (callId) res.setHeader(CALL_ID_HEADER, callId);
  if (error.retryAfterMs !== undefined || error.status === 503) {
    res.setHeader("retry-after", String(Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000))));
  }
  if (req.complete || !hasBody(req)) res.end(body);
  else endWithUnreadBody(req, res, body);
}

function hasBody(req: IncomingMessage): boolean {
  return req.headers["content-length"] !== undefined || req.headers["transfer-encoding"] !== undefined;
}

/**
 * The client still sends. The connection cannot be used again, but closing it at once would reset it, and
 * the client could lose the answer with it (RFC 9112, 9.6): it gets the answer now and the end a little later.
 */
function endWithUnreadBody(req: IncomingMessage, res: ServerResponse, body: string): void {
  res.setHeader("connection", "close");
  res.write(body);
  const timer = setTimeout(() => res.end(), LINGER_MS);
  req.on("end", () => {
    clearTimeout(timer);
    res.end();
  });
  req.resume();
}
