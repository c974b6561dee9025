import { CALL_ID_HEADER, ERROR_HEADER } from "../runtime-images/protocol/headers.ts";
import type { Exchange } from "./client/exchange.ts";
import type { RouterError } from "./errors.ts";

/** Answers with an error of the router's own. */
export function sendError(exchange: Exchange, error: RouterError, callId?: string): void {
  const headers = ["content-type", "application/json", ERROR_HEADER, error.code];
  if (error.code === "METHOD_NOT_ALLOWED") headers.push("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  if (callId) headers.push(CALL_ID_HEADER, callId);
  if (error.retryAfterMs !== undefined || error.status === 503) {
    headers.push("retry-after", String(Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000))));
  }
  exchange.answer(error.status, headers, JSON.stringify({ error: { code: error.code, message: error.message, fix: error.fix } }));
}
