import type { IncomingMessage } from "node:http";
import { HOP_HEADER } from "../../runtime-images/protocol/headers.ts";
import { RouterError } from "../errors.ts";
import { isHost } from "./host.ts";
import { HOP_BYTES, HOP_HEADERS, MAX_HEAD_BYTES, MAX_HEADERS } from "./limits.ts";

/** The effective host of a request, and its path and query. */
export interface Target {
  host: string;
  url: string;
}

const ABSOLUTE = /^https?:\/\/([^/?#]+)(.*)$/i;

/** The target of a request. A client that takes the router for a proxy sends an absolute URL, whose authority overrides Host (RFC 9112, 3.2.2). */
export function targetOf({ url = "/", headers }: IncomingMessage): Target {
  const [, authority, rest = ""] = ABSOLUTE.exec(url) ?? [];
  if (authority === undefined) return { host: headers.host ?? "", url };
  return { host: authority, url: rest.startsWith("/") ? rest : `/${rest}` };
}

/**
 * Refuses requests that Node's strict parser accepts although two servers could read them differently (RFC 9112, 6.1 and
 * 3.2), and those beyond the limits of a head. The parser itself refuses duplicate lengths, lengths beside chunks, bare
 * line feeds and folded lines.
 */
export function refusalOf(req: IncomingMessage): RouterError | null {
  const coding = req.headers["transfer-encoding"];
  if (req.httpVersionMajor !== 1 || req.httpVersionMinor > 1) return invalid(`HTTP/${req.httpVersion} is not spoken here`);
  if (coding !== undefined && coding.toLowerCase() !== "chunked") return invalid("the only transfer coding is chunked");
  if (coding !== undefined && req.httpVersionMinor === 0) return invalid("HTTP/1.0 has no transfer codings");
  if (req.method === "TRACE") return new RouterError("METHOD_NOT_ALLOWED", "TRACE is not passed on");
  return sizeRefusal(req) ?? hostRefusal(req) ?? targetRefusal(req);
}

function sizeRefusal({ method = "", url = "", rawHeaders, headers }: IncomingMessage): RouterError | null {
  const isHop = headers[HOP_HEADER] !== undefined;
  const mostHeaders = MAX_HEADERS + (isHop ? HOP_HEADERS : 0);
  if (rawHeaders.length / 2 > mostHeaders) return new RouterError("HEAD_TOO_LARGE", `there are more than ${MAX_HEADERS} headers`);
  let bytes = method.length + url.length + " HTTP/1.1\r\n ".length;
  for (const text of rawHeaders) bytes += text.length + 2;
  const isLarge = bytes > MAX_HEAD_BYTES + (isHop ? HOP_BYTES : 0);
  return isLarge ? new RouterError("HEAD_TOO_LARGE", `the request line and the headers are more than ${MAX_HEAD_BYTES} bytes`) : null;
}

function hostRefusal(req: IncomingMessage): RouterError | null {
  const { rawHeaders } = req;
  const hosts: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === "host") hosts.push(rawHeaders[i + 1] as string);
  if (hosts.length > 1) return invalid("there are two Host headers");
  if (hosts.length === 0 && req.httpVersionMinor > 0) return invalid("there is no Host header");
  const invalidHost = [...hosts, targetOf(req).host].find((host) => !isHost(host));
  return invalidHost === undefined ? null : invalid(`${JSON.stringify(invalidHost.slice(0, 80))} is not a host with an optional port`);
}

/** A target is a path, a whole URL of HTTP, or the * of OPTIONS (RFC 9112, 3.2). */
function targetRefusal(req: IncomingMessage): RouterError | null {
  const { url } = targetOf(req);
  if (url.startsWith("/") || (url === "*" && req.method === "OPTIONS")) return null;
  return invalid(`${JSON.stringify(url.slice(0, 80))} is neither a path nor a URL of HTTP`);
}

function invalid(message: string): RouterError {
  return new RouterError("REQUEST_INVALID", message);
}
