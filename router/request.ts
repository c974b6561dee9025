import type { IncomingMessage } from "node:http";
import { REVISION_HEADER } from "../runtime-images/protocol/headers.ts";
import type { Exchange } from "./client/exchange.ts";
import { RouterError } from "./errors.ts";

const PREFIX = "/function/";

/** Which function a request is for, and the path and query that the function sees. */
export interface Route {
  name: string;
  /** Revision or alias that was asked for, `NAME@VERSION` or in `x-berth-revision`; null: whichever is next. */
  version: string | null;
  path: string;
}

/**
 * What Node's strict parser lets pass and two servers could still read differently (RFC 9112, 6.1 and 3.2), or what no
 * instance takes. Duplicate lengths, lengths beside chunks, bare line feeds and folded lines never come this far.
 */
export function refuseAmbiguous(req: IncomingMessage): RouterError | null {
  const coding = req.headers["transfer-encoding"];
  if (req.httpVersionMajor !== 1) return invalid(`HTTP/${req.httpVersion} is not spoken here`);
  if (coding !== undefined && coding.toLowerCase() !== "chunked") return invalid("the only transfer coding is chunked");
  if (coding !== undefined && req.httpVersionMinor === 0) return invalid("HTTP/1.0 has no transfer codings");
  if (req.method === "TRACE") return new RouterError("METHOD_NOT_ALLOWED", "TRACE is not passed on");
  return null;
}

export function invalid(message: string): RouterError {
  return new RouterError("REQUEST_INVALID", message);
}

/** What undici, or we, do not send on as it is: the client's fault, whatever instance it was meant for. */
export function asRefused(error: Error & { code?: string }): RouterError | null {
  if (error instanceof RouterError) return error;
  return error.code === "UND_ERR_INVALID_ARG" ? invalid(error.message) : null;
}

/** `/function/NAME[/path]`, or with a domain the whole path at `NAME.domain`; null: neither. */
export function routeOf(exchange: Exchange, domain: string | null): Route | null {
  const url = originForm(exchange.url);
  const host = domain === null ? null : nameOfHost(exchange.header("host") ?? "", domain);
  const asked = exchange.header(REVISION_HEADER) ?? null;
  if (host !== null) return { name: host, version: asked, path: url };
  if (!url.startsWith(PREFIX)) return null;
  const end = nameEnd(url);
  const rest = url.slice(end);
  const path = rest.startsWith("/") ? rest : `/${rest}`;
  const segment = url.slice(PREFIX.length, end);
  const named = segment.includes("%") ? decoded(segment) : segment;
  const at = named.indexOf("@");
  return at < 0 ? { name: named, version: asked, path } : { name: named.slice(0, at), version: named.slice(at + 1), path };
}

/** What clients may encode without changing what is meant (RFC 3986, 2.3), and the @ that some always encode. */
function decoded(segment: string): string {
  return segment.replace(/%[0-9a-f]{2}/gi, (code) => {
    const char = String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return /[A-Za-z0-9\-._~@]/.test(char) ? char : code;
  });
}

/** A client that takes us for a proxy sends the whole URL (RFC 9112, 3.2.2). */
export function originForm(url: string): string {
  if (url.startsWith("/")) return url;
  const authority = /^https?:\/\/[^/?#]*/i.exec(url)?.[0];
  if (authority === undefined) return url;
  const rest = url.slice(authority.length);
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function nameOfHost(host: string, domain: string): string | null {
  const name = host.toLowerCase().replace(/:\d+$/, "");
  const at = name.length - domain.length - 1;
  return at > 0 && name.endsWith(domain) && name[at] === "." ? name.slice(0, at) : null;
}

function nameEnd(url: string): number {
  for (let i = PREFIX.length; i < url.length; i++) {
    const char = url.charCodeAt(i);
    if (char === 47 || char === 63) return i;
  }
  return url.length;
}
