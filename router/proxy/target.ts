import { REVISION_HEADER } from "../../runtime-images/protocol/headers.ts";
import type { Exchange } from "../downstream/exchange.ts";

const PREFIX = "/function/";

/** Which function a request is for, and the path and query that the function sees. */
export interface InvocationTarget {
  name: string;
  /** Revision or alias that was asked for, `NAME@VERSION` or in `x-berth-revision`; null: whichever is next. */
  version: string | null;
  path: string;
  /** What stands before that path in the client's; empty: nothing. */
  prefix: string;
}

/** `/function/NAME[/path]`, or with a domain the whole path at `NAME.domain`; null: neither. */
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

/** What clients may encode without changing what is meant (RFC 3986, 2.3), and the @ that some always encode. */
function decoded(segment: string): string {
  return segment.replace(/%[0-9a-f]{2}/gi, (code) => {
    const char = String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return /[A-Za-z0-9\-._~@]/.test(char) ? char : code;
  });
}

function nameOfHost(host: string, domain: string): string | null {
  // A trailing dot marks a name that is complete already.
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
