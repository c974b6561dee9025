import { REVISION_HEADER } from "../../runtime-images/protocol/headers.ts";
import type { Exchange } from "../downstream/exchange.ts";
import { RouterError } from "../errors.ts";
import { invokeTargetOf } from "../lambda-api/invoke-target.ts";

const PREFIX = "/function/";
/** The namespace that clients of OpenFaaS name with each function; names of functions have no dots. */
const OPENFAAS_NAMESPACE = ".openfaas-fn";

/** The function that a request is for, and the path and query that the function receives. */
export interface InvocationTarget {
  name: string;
  /** The requested revision or alias, from `NAME@VERSION` or `x-berth-revision`; null: the traffic split chooses. */
  version: string | null;
  path: string;
  /** The part of the client's path that precedes `path`; may be empty. */
  prefix: string;
  /** The body is the event of a handler that takes events. */
  isEvent: boolean;
  /** The caller asks for the end of the invocation's log. */
  wantsLog?: boolean;
}

/** The target of `/function/NAME[/path]` or, with a domain, of any path at `NAME.domain`; null: the request has neither form. */
export function invocationTargetOf(exchange: Exchange, domain: string | null): InvocationTarget | null {
  const { url } = exchange;
  const host = domain === null ? null : nameOfHost(exchange.host, domain);
  const asked = exchange.header(REVISION_HEADER) ?? null;
  if (host !== null) return { name: host, version: asked, path: url, prefix: "", isEvent: false };
  if (!url.startsWith(PREFIX)) return null;
  const end = nameEnd(url);
  const rest = url.slice(end);
  const path = rest.startsWith("/") ? rest : `/${rest}`;
  const segment = url.slice(PREFIX.length, end);
  const named = segment.includes("%") ? decoded(segment) : segment;
  const at = named.indexOf("@");
  const prefix = url.slice(0, end);
  const [full, version] = at < 0 ? [named, asked] : [named.slice(0, at), named.slice(at + 1)];
  const name = full.endsWith(OPENFAAS_NAMESPACE) ? full.slice(0, -OPENFAAS_NAMESPACE.length) : full;
  return { name, version, path, prefix, isEvent: false };
}

interface CallTarget extends InvocationTarget {
  /** Only whether it would be served is asked. */
  isDry: boolean;
}

/** The target of a call of Lambda's API, or why there is none. */
export function calledBy(exchange: Exchange): CallTarget | RouterError {
  const { method, url } = exchange;
  const target = invokeTargetOf(url);
  if (target instanceof RouterError) return target;
  if (method !== "POST") return new RouterError("ACTION_UNKNOWN", `Invoke is called by POST, and not by ${method}`);
  const type = exchange.header("x-amz-invocation-type") ?? "RequestResponse";
  if (type === "Event") return new RouterError("ASYNC_UNSUPPORTED", "an invocation of the type Event would be asynchronous");
  const isDry = type === "DryRun";
  if (!isDry && type !== "RequestResponse") return new RouterError("CALL_INVALID", `${JSON.stringify(type.slice(0, 80))} is not an invocation type`);
  const version = target.version ?? exchange.header(REVISION_HEADER) ?? null;
  return { name: target.name, version, path: "/", prefix: "", isEvent: true, wantsLog: exchange.header("x-amz-log-type") === "Tail", isDry };
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
