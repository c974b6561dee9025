import type { Endpoint } from "../pool-manager/client/contract.ts";
import { BERTH_PREFIX, CALL_ID_HEADER, FUNCTION_HEADER, KEY_HEADER, REVISION_HEADER } from "../runtime-images/protocol/headers.ts";
import type { Exchange } from "./client/exchange.ts";
import { invalid } from "./request.ts";

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
export function callIdOf(exchange: Exchange): string {
  const given = exchange.header(CALL_ID_HEADER);
  if (given !== undefined && CALL_ID.test(given)) return given;
  if (callCount % 1_000_000 === 0) callPrefix = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;
  callCount += 1;
  return `${callPrefix}-${callCount.toString(36)}`;
}

/** The client's headers as the instance gets them: the forwarded ones, and what the platform says. */
export function upstreamHeaders(exchange: Exchange, functionUid: string, { revision, key }: Endpoint, callId: string): string[] {
  const headers = forwardHeaders(exchange);
  headers.push(FUNCTION_HEADER, functionUid, REVISION_HEADER, revision, CALL_ID_HEADER, callId);
  if (key !== null) headers.push(KEY_HEADER, key);
  return headers;
}

/** A request line and headers, as bytes on the wire: the client's parser has checked every part of it. */
export function requestHead(exchange: Exchange, path: string, headers: readonly string[]): string {
  let head = `${exchange.method} ${path} HTTP/1.1\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return exchange.upgrade ? `${head}connection: upgrade\r\nupgrade: websocket\r\n\r\n` : `${head}\r\n`;
}

/** What goes on of a client's headers: no hop-by-hop ones, nothing that only the platform may say. */
export function forwardHeaders(exchange: Exchange): string[] {
  const { rawHeaders } = exchange;
  const named = connectionNames(exchange.header("connection"));
  const headers: string[] = [];
  let hosts = 0;
  let forwarded = exchange.remoteAddress;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = rawHeaders[i + 1] as string;
    const lower = name.toLowerCase();
    if (lower === "host" && hosts++ > 0) throw invalid("there are two Host headers");
    if (lower === "x-forwarded-for") forwarded = `${value}, ${forwarded}`;
    else if (keeps(lower, named) && lower !== CALL_ID_HEADER) headers.push(name, value);
  }
  headers.push("x-forwarded-for", forwarded);
  return headers;
}

/** Another router's headers as the client gets them: what it said of the invocation is meant for the client. */
export function peerHeaders(raw: readonly (Buffer | string)[]): string[] {
  const headers: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = latin1(raw[i]);
    if (!HOP_BY_HOP.has(name.toLowerCase())) headers.push(name, latin1(raw[i + 1]));
  }
  return headers;
}

/** The instance's headers as the client gets them, and what it said to the platform. */
export function clientHeaders(raw: readonly (Buffer | string)[]): { headers: string[]; berth: Map<string, string> | null } {
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

/** Where the time of an invocation went, in milliseconds, for the client's `server-timing`. */
export function serverTiming({ queue, claim, load, run }: { queue: number; claim: number; load: number; run: number }): string {
  return `queue;dur=${ms(queue)}, claim;dur=${ms(claim)}, load;dur=${ms(load)}, run;dur=${ms(run)}`;
}

function ms(value: number): string {
  return Math.max(0, value).toFixed(2);
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

function latin1(text: Buffer | string | undefined): string {
  return typeof text === "string" ? text : (text?.toString("latin1") ?? "");
}
