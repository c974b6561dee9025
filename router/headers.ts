import type { IncomingMessage } from "node:http";
import { BERTH_PREFIX, CALL_ID_HEADER, FUNCTION_HEADER, REVISION_HEADER } from "../runtime-images/protocol/headers.ts";

/** Headers that concern one connection only (RFC 9110, 7.6.1), and those that undici sets itself. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
]);

const CALL_ID = /^[\x21-\x7e]{1,128}$/;
let callPrefix = "";
let callCount = 0;

/** The client's call id where it is a plain token, else a new one. */
export function callIdOf(req: IncomingMessage): string {
  const given = req.headers[CALL_ID_HEADER];
  if (typeof given === "string" && CALL_ID.test(given)) return given;
  if (callCount % 1_000_000 === 0) callPrefix = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;
  callCount += 1;
  return `${callPrefix}-${callCount.toString(36)}`;
}

/** The client's headers as the instance gets them: no hop-by-hop ones, nothing that only the platform may say. */
export function upstreamHeaders(req: IncomingMessage, functionUid: string, revision: string, callId: string): string[] {
  const { rawHeaders } = req;
  const named = connectionNames(req.headers.connection);
  const headers: string[] = [];
  let forwarded = req.socket.remoteAddress ?? "";
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = rawHeaders[i + 1] as string;
    const lower = name.toLowerCase();
    if (lower === "x-forwarded-for") forwarded = `${value}, ${forwarded}`;
    else if (keeps(lower, named) && lower !== CALL_ID_HEADER) headers.push(name, value);
  }
  headers.push("x-forwarded-for", forwarded);
  headers.push(FUNCTION_HEADER, functionUid, REVISION_HEADER, revision, CALL_ID_HEADER, callId);
  return headers;
}

/** The instance's headers as the client gets them, and what it said to the platform. */
export function clientHeaders(raw: readonly Buffer[]): { headers: string[]; berth: Map<string, string> | null } {
  const headers: string[] = [];
  let berth: Map<string, string> | null = null;
  let named: Set<string> | null = null;
  for (let i = 0; i < raw.length; i += 2) {
    const name = latin1(raw[i]);
    const lower = name.toLowerCase();
    const value = latin1(raw[i + 1]);
    if (lower === "connection") named = connectionNames(value);
    if (lower.startsWith(BERTH_PREFIX)) berth = (berth ?? new Map()).set(lower, value);
    else if (!HOP_BY_HOP.has(lower)) headers.push(name, value);
  }
  return { headers: named ? withoutNamed(headers, named) : headers, berth };
}

function keeps(lower: string, named: Set<string> | null): boolean {
  return !HOP_BY_HOP.has(lower) && !lower.startsWith(BERTH_PREFIX) && !named?.has(lower);
}

function connectionNames(value: string | undefined): Set<string> | null {
  if (!value || value === "keep-alive" || value === "close") return null;
  return new Set(value.split(",").map((name) => name.trim().toLowerCase()));
}

function withoutNamed(headers: string[], named: Set<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!named.has((headers[i] as string).toLowerCase())) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept;
}

function latin1(bytes: Buffer | undefined): string {
  return bytes?.toString("latin1") ?? "";
}
