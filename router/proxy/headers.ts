import type { Endpoint } from "../../pool-manager/client/contract.ts";
import {
  BERTH_PREFIX,
  CALL_ID_HEADER,
  EVENT_HEADER,
  EVENT_WITH_LOG,
  FUNCTION_HEADER,
  KEY_HEADER,
  REVISION_HEADER,
} from "../../runtime-images/protocol/headers.ts";
import { TRACEPARENT } from "../../runtime-images/protocol/telemetry/trace-context.ts";
import type { Exchange, RequestBody } from "../downstream/exchange.ts";
import type { Beliefs } from "../downstream/trusted-proxies.ts";
import type { UpstreamRequest } from "../upstream/http1-connection.ts";
import { isClaim, publicUrlHeaders } from "./public-url.ts";

/** Headers that concern one connection only (RFC 9110, 7.6.1). */
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

/** Client headers that are never passed on as they are: the router writes its own. */
const REWRITTEN = new Set(["host", "content-length", CALL_ID_HEADER]);

/** Methods whose requests declare an empty body with `content-length: 0` (RFC 9110, 8.6). */
const WITH_BODY = new Set(["POST", "PUT", "PATCH"]);

const CALL_ID = /^[\x21-\x7e]{1,128}$/;
let callPrefix = "";
let callCount = 0;

/** The client's call id if it is a plain token, else a new one. */
export function callIdOf(exchange: Exchange): string {
  const given = exchange.header(CALL_ID_HEADER);
  if (given !== undefined && CALL_ID.test(given)) return given;
  if (callCount % 1_000_000 === 0) callPrefix = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;
  callCount += 1;
  return `${callPrefix}-${callCount.toString(36)}`;
}

interface Invoked {
  functionUid: string;
  endpoint: Endpoint;
  callId: string;
  /** The part of the public path that the function does not receive. */
  prefix: string;
  /** Replaces the client's; null: the client's is passed on. */
  traceparent: string | null;
  isEvent: boolean;
  wantsLog: boolean;
}

/** The client's headers as the instance gets them, after what the platform says. */
export function upstreamHeaders(
  exchange: Exchange,
  { functionUid, endpoint, callId, prefix, traceparent, isEvent, wantsLog }: Invoked,
  beliefs: Beliefs,
): string[] {
  const { revision, key } = endpoint;
  const headers = [FUNCTION_HEADER, functionUid, REVISION_HEADER, revision, CALL_ID_HEADER, callId];
  if (key !== null) headers.push(KEY_HEADER, key);
  if (traceparent !== null) headers.push(TRACEPARENT, traceparent);
  if (isEvent) headers.push(EVENT_HEADER, wantsLog ? EVENT_WITH_LOG : "1");
  const { forwardedFor, claims, passed } = sortHeaders(exchange, beliefs, traceparent === null ? null : TRACEPARENT);
  return headers.concat(forwardedFor, publicUrlHeaders(claims, exchange.host, prefix), passed);
}

/** The client's headers as another router gets them, which tells the function its public URL itself. */
export function hopHeaders(exchange: Exchange, headers: readonly string[], beliefs: Beliefs): string[] {
  const { forwardedFor, claims, passed } = sortHeaders(exchange, beliefs);
  return headers.concat(forwardedFor, claims, passed);
}

/**
 * The client's request as it is written to the wire; the client's parser has validated every part of its head. The framing
 * follows from the body at hand, never from a header of the client.
 */
export function upstreamRequest(exchange: Exchange, path: string, headers: readonly string[], body: RequestBody): UpstreamRequest {
  let head = `${exchange.method} ${path} HTTP/1.1\r\nhost: ${exchange.host}\r\n${framing(exchange, body)}`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return { head: `${head}\r\n`, body, isHead: exchange.method === "HEAD", upgrade: exchange.upgrade };
}

function framing({ method, upgrade }: Exchange, body: RequestBody): string {
  if (upgrade) return "connection: upgrade\r\nupgrade: websocket\r\n";
  if (body === null) return WITH_BODY.has(method) ? "content-length: 0\r\n" : "";
  return body.length === null ? "transfer-encoding: chunked\r\n" : `content-length: ${body.length}\r\n`;
}

interface Sorted {
  /** The single `x-forwarded-for` header. */
  forwardedFor: string[];
  /** The sender's claims about its client's request. */
  claims: string[];
  passed: string[];
}

/**
 * Sorts a client's headers and drops those that are not passed on: hop-by-hop headers, headers that only the platform may
 * set, one that is `replaced`, and headers that `Connection` names. A name in `Connection` never removes a header of the platform.
 */
function sortHeaders(exchange: Exchange, beliefs: Beliefs, replaced: string | null = null): Sorted {
  const { rawHeaders, remoteAddress } = exchange;
  let forwarded = "";
  let named: Set<string> | null = null;
  const claims: string[] = [];
  const passed: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i] as string, rawHeaders[i + 1] as string];
    const lower = name.toLowerCase();
    if (lower === "connection") named = addNames(named, value);
    else if (lower === "x-forwarded-for") forwarded = joined(forwarded, value);
    else if (isClaim(lower)) claims.push(name, value);
    else if (!HOP_BY_HOP.has(lower) && !REWRITTEN.has(lower) && lower !== replaced && !lower.startsWith(BERTH_PREFIX)) passed.push(name, value);
  }
  const believed = forwarded === "" ? "" : beliefs.believed(exchange, forwarded);
  return {
    forwardedFor: ["x-forwarded-for", joined(believed, remoteAddress)],
    claims: claims.length > 0 && beliefs.trusts(exchange) ? claims : [],
    passed: named ? withoutNamed(passed, named) : passed,
  };
}

/** The response headers of another router as the client receives them. Its `x-berth-*` headers are meant for the client. */
export function peerHeaders(raw: readonly string[]): string[] {
  const headers: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    if (!HOP_BY_HOP.has(name.toLowerCase())) headers.push(name, raw[i + 1] as string);
  }
  return headers;
}

/** The response headers of an instance as the client receives them, and its `x-berth-*` headers, which are for the platform alone. */
export function clientHeaders(raw: readonly string[]): { headers: string[]; berth: Map<string, string> | null } {
  const headers: string[] = [];
  let berth: Map<string, string> | null = null;
  let named: Set<string> | null = null;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const lower = name.toLowerCase();
    const value = raw[i + 1] as string;
    if (lower === "connection") named = addNames(named, value);
    if (lower.startsWith(BERTH_PREFIX)) berth = (berth ?? new Map()).set(lower, value);
    else if (!HOP_BY_HOP.has(lower)) headers.push(name, value);
  }
  return { headers: named ? withoutNamed(headers, named) : headers, berth };
}

/** The value of `server-timing`: how long each phase of an invocation took, in milliseconds. */
export function serverTiming({ queue, claim, load, run }: { queue: number; claim: number; load: number; run: number }): string {
  return `queue;dur=${ms(queue)}, claim;dur=${ms(claim)}, load;dur=${ms(load)}, run;dur=${ms(run)}`;
}

function ms(value: number): string {
  return Math.max(0, value).toFixed(2);
}

function joined(list: string, value: string): string {
  if (list === "" || value === "") return list || value;
  return `${list}, ${value}`;
}

function addNames(names: Set<string> | null, value: string): Set<string> | null {
  if (value === "keep-alive" || value === "close") return names;
  const all = names ?? new Set();
  for (const name of value.split(",")) all.add(name.trim().toLowerCase());
  return all;
}

function withoutNamed(headers: readonly string[], named: Set<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!named.has((headers[i] as string).toLowerCase())) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept;
}
