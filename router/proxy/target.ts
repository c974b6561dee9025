import { REVISION_HEADER } from "../../runtime-images/protocol/headers.ts";
import type { Exchange } from "../downstream/exchange.ts";

const PREFIX = "/function/";

/** The function that a request is for, and the path and query that the function receives. */
export interface InvocationTarget {
  name: string;
  /** The requested revision or alias, from `NAME@VERSION` or `x-berth-revision`; null: the traffic split chooses. */
  version: string | null;
  path: string;
  /** The part of the client's path that precedes `path`; may be empty. */
  prefix: string;
}

/** The target of `/function/NAME[/path]` or, with a domain, of any path at `NAME.domain`; null: the request has neither form. */
export function invocationTargetOf(exchange: Exchange, domain: string | null): InvocationTarget | null {
  const { url } = exchange;
  const host = domain === null ? null : nameOfHost(exchange.host, domain);
  const asked = exchange.header(REVISION_HEADER) ?? null;
  if (host !== null) return { name: host, version: asked, path: url, prefix: "" };
  if (!url.startsWith(PREFIX)) return null;
  const end = nameEnd(url);
  const rest = url.slice(end);
  const path = rest.startsWith("/") ? rest : `/${rest}`;
  const segment = url.slice(PREFIX.length, end);
  const named = segment.includes("%") ? decoded(segment) : segment;
  const at = named.indexOf("@");
  const prefix = url.slice(0, end);
  return at < 0 ? { name: named, version: asked, path, prefix } : { name: named.slice(0, at), version: named.slice(at + 1), path, prefix };
}

/** Decodes the unreserved characters, whose encoding does not change the meaning (RFC 3986, 2.3), and the @, which some clients always encode. */
function decoded(segment: string): string {
  return segment.replace(/%[0-9a-f]{2}/gi, (code) => {
    const char = String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return /[A-Za-z0-9\-._~@]/.test(char) ? char : code;
  });
}

function nameOfHost(host: string, domain: string): string | null {
  // A trailing dot marks a fully qualified name.
  const name = host.toLowerCase().replace(/\.?(?::\d*)?$/, "");
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
