import { type Buffer, isUtf8 } from "node:buffer";
import * as http from "node:http";
import * as https from "node:https";
import { connectionError } from "./connection-error.ts";
import { CliError, EXIT } from "./errors.ts";
import { packageVersion } from "./package-root.ts";

/** A request to a function. */
export interface Invocation {
  /** Address of a router. */
  router: string;
  /** `NAME`, `NAME@ALIAS` or `NAME@REVISION`. */
  name: string;
  /** The path below the function, with its query; sent as it is. */
  path: string;
  method: string;
  /** Each as the user wrote it: `name: value`. */
  headers: readonly string[];
  body: Buffer | null;
  /** Headers that identify the user. */
  identity: Readonly<Record<string, string>>;
}

/** Resolves with the response once its headers are there. Redirects are not followed: the response is the function's. */
export function send(invocation: Invocation): Promise<http.IncomingMessage> {
  const { router, name, body } = invocation;
  const url = routerUrl(router);
  const options = {
    method: methodOf(invocation.method),
    path: url.pathname.replace(/\/$/, "") + pathOf(invocation),
    headers: headersOf(invocation, url),
    agent: false,
  };
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(connectionError(error, { who: "router", url: router, fix: "is berth running?" }));
    const request = (url.protocol === "https:" ? https : http).request(url, options, resolve);
    request.on("error", failed);
    request.on("upgrade", (_response, socket) => {
      socket.destroy();
      reject(new CliError("WEBSOCKET_OPENED", `${name} has opened a WebSocket`, "use a WebSocket client"));
    });
    request.end(body ?? undefined);
  });
}

function routerUrl(router: string): URL {
  if (URL.canParse(router) && /^https?:\/\//i.test(router)) return new URL(router);
  throw new CliError("URL_INVALID", `${JSON.stringify(router)} is not the URL of a router`, "give --router (or BERTH_ROUTER) as http://HOST:PORT", EXIT.usage);
}

/** The method in upper case. CONNECT and TRACE concern proxies, and routers do not pass them on. */
function methodOf(given: string): string {
  const method = given.toUpperCase();
  if (http.METHODS.includes(method) && method !== "CONNECT" && method !== "TRACE") return method;
  throw new CliError(
    "METHOD_INVALID",
    `functions cannot be invoked by ${JSON.stringify(given)}`,
    "use a method such as GET, POST, PUT, PATCH or DELETE",
    EXIT.usage,
  );
}

/** Encodes characters that are invalid in a request line. Everything else, including dot segments and repeated slashes, stays as given. */
function pathOf({ name, path }: Invocation): string {
  const [below = ""] = path.split("#");
  const slash = below === "" || /^[/?]/.test(below) ? "" : "/";
  const function_ = name.split("@").map(encodeURIComponent).join("@");
  return `/function/${function_}${slash}${below.replace(/[^\x21-\x7e]+/g, encodeURIComponent)}`;
}

/** Alternating names and values: the user's headers, repeated ones included, and defaults for the others. */
function headersOf({ headers, identity, body, method }: Invocation, url: URL): string[] {
  const given = headers.map(parsed);
  const defaults: Record<string, string> = { host: url.host, "user-agent": `berth/${packageVersion()}`, accept: "*/*", ...identity };
  if (body) defaults["content-type"] = typeOf(body);
  const chunked = given.some(([name]) => name.toLowerCase() === "transfer-encoding");
  if (!chunked && (body || /^(POST|PUT|PATCH)$/i.test(method))) defaults["content-length"] = String(body?.length ?? 0);
  for (const [name] of given) delete defaults[name.toLowerCase()];
  return [...Object.entries(defaults), ...given.filter(([, value]) => value !== null)].flat() as string[];
}

/** Parses `name: value`. As with curl, `name:` removes a default header (null), and `name;` sends an empty one. */
function parsed(header: string): [string, string | null] {
  const [, name = "", mark, text = ""] = /^([^:;]*)([:;])(.*)$/s.exec(header) ?? [];
  const value = mark === ";" ? "" : text.trim();
  try {
    http.validateHeaderName(name.trim());
    http.validateHeaderValue(name.trim(), value);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === "ERR_INVALID_CHAR" ? "has characters that headers cannot hold (they are latin-1)" : "is not a header";
    throw new CliError(
      "HEADER_INVALID",
      `${JSON.stringify(header)} ${why}`,
      'write it as -H "name: value"; encode other characters, or send them in the body',
      EXIT.usage,
    );
  }
  return [name.trim(), mark === ":" && value === "" ? null : value];
}

/** The content type: JSON if the body is JSON, else curl's default. */
function typeOf(body: Buffer): string {
  try {
    if (isUtf8(body)) {
      JSON.parse(body.toString());
      return "application/json";
    }
  } catch {
    // The body is other text.
  }
  return "application/x-www-form-urlencoded";
}
