import type { FastifyInstance, FastifyRequest } from "fastify";
import { API_KEY_HEADER, type ApiKeys, passwordOf, presentedKey, type Role } from "../client/api-keys.ts";
import { ROUTER_HEADER } from "../client/contract.ts";
import { ManagerError } from "../errors.ts";

const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|\[::1\])$/;
/** Values of `sec-fetch-site` for requests that the user, or a page of this listener, made. */
const OWN_SITES = new Set(["same-origin", "none"]);
/** Paths whose GET has an effect. A web page can send a GET, but not with `ROUTER_HEADER`. */
const REGISTERS = new Set(["/v1/table"]);
/** The dashboard's page: static text, which holds nothing. */
const PAGE = "/";
/** Paths that need no key. */
const OPEN = new Set(["/healthz", "/readyz", PAGE, "/dashboard/app.js", "/dashboard/app.css"]);
/** Paths of OpenFaaS's API, whose clients present the key as a password. */
const OPENFAAS_PREFIX = "/system/";
/** Paths that roles other than `manage` may use. */
const ROLES: Record<string, Role> = { "/v1/table": "route", "/v1/demand": "route", "/metrics": "monitor" };

/** Refuses requests of web pages. With keys, each request must present one that allows it; without keys, only requests to a loopback address are allowed. */
export function guard(app: FastifyInstance, keys: ApiKeys | null): void {
  app.addHook("onRequest", async (request) => {
    refusePages(request);
    const path = pathOf(request);
    if (!keys) return refuseForeign(request, path);
    if (OPEN.has(path)) return;
    const roles = keys.rolesOf(keyOf(request, path));
    if (!roles) throw new ManagerError("KEY_MISSING", "this listener requires a key, and the request presented none that it knows");
    const role = ROLES[path];
    if (!roles.has("manage") && !(role && roles.has(role))) throw new ManagerError("KEY_REFUSED", `this key may not ${request.method} ${path.slice(0, 100)}`);
  });
}

/** A browser repeats a password by itself, also for a page of another site: it counts only where programs alone are clients. */
function keyOf({ headers }: FastifyRequest, path: string): string | undefined {
  const own = headers[API_KEY_HEADER];
  const key = presentedKey(headers.authorization, Array.isArray(own) ? undefined : own);
  return key ?? (path.startsWith(OPENFAAS_PREFIX) ? passwordOf(headers.authorization) : undefined);
}

/** The path of the request's route, since a path may be sent percent-encoded; that of the request if the route stands for all paths. */
function pathOf({ url, routeOptions }: FastifyRequest): string {
  const [path = ""] = url.split("?");
  const route = routeOptions.url;
  return route === undefined || route.includes("*") ? path : route;
}

/** Refuses requests that a browser marks as those of other sites' pages; other clients send no mark. A link to the dashboard's page may be followed. */
function refusePages(request: FastifyRequest): void {
  const { rawHeaders, httpVersion } = request.raw;
  const site = request.headers["sec-fetch-site"];
  if (site !== undefined && !OWN_SITES.has(String(site)) && !isFollowedLink(request)) {
    throw new ManagerError("FOREIGN_REQUEST", "a page of another site may not use this API", "sec-fetch-site");
  }
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === "host").length;
  if (hosts > 1 || (hosts === 0 && httpVersion !== "1.0")) throw new ManagerError("REQUEST_INVALID", `the request has ${hosts} Host headers`, "host");
}

/** Whether the user has followed a link of another site to the dashboard: that site's page sees nothing of the answer, and no frame shows it. */
function isFollowedLink(request: FastifyRequest): boolean {
  const { "sec-fetch-mode": mode, "sec-fetch-dest": dest } = request.headers;
  return request.method === "GET" && pathOf(request) === PAGE && mode === "navigate" && dest === "document";
}

/**
 * Refuses a foreign Host (DNS rebinding), a foreign Origin (a request of another site's page), and a registration that a
 * page could have sent: a loopback listener has no other protection.
 */
function refuseForeign({ headers: { host = "", origin, [ROUTER_HEADER]: router } }: FastifyRequest, path: string): void {
  if (!LOOPBACK.test(hostname(host))) {
    throw new ManagerError("FOREIGN_REQUEST", `Host ${JSON.stringify(host.slice(0, 100))} is not this machine's`, "host");
  }
  if (origin !== undefined && origin !== `http://${host}`) {
    throw new ManagerError("FOREIGN_REQUEST", `Origin ${JSON.stringify(origin.slice(0, 100))} may not use this API`, "origin");
  }
  if (REGISTERS.has(path) && router === undefined) {
    throw new ManagerError("FOREIGN_REQUEST", `${path} registers a router, and routers send the header ${ROUTER_HEADER}`, ROUTER_HEADER);
  }
}

function hostname(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, "");
}
