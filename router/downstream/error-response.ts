import { CALL_ID_HEADER, ERROR_HEADER } from "../../runtime-images/protocol/headers.ts";
import type { RouterError } from "../errors.ts";
import type { Exchange } from "./exchange.ts";

/** The estimated time after which the same request may succeed; null: a retry does not help. */
export function retryAfterSeconds({ code, status, retryAfterMs }: RouterError): number | null {
  if (retryAfterMs === undefined && (status !== 503 || code === "FUNCTION_DELETED")) return null;
  return Math.max(1, Math.ceil(Math.round(retryAfterMs ?? 0) / 1000));
}

/** Answers with an error of the router. */
export function sendError(exchange: Exchange, error: RouterError, callId?: string): void {
  const headers = ["content-type", "application/json", ERROR_HEADER, error.code];
  if (error.code === "METHOD_NOT_ALLOWED") headers.push("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  if (callId) headers.push(CALL_ID_HEADER, callId);
  const seconds = retryAfterSeconds(error);
  if (seconds !== null) headers.push("retry-after", String(seconds));
  exchange.answer(error.status, headers, JSON.stringify({ error: { code: error.code, message: error.message, fix: error.fix } }));
}
