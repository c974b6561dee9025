import type { FastifyInstance, FastifyRequest } from "fastify";
import { API_KEY_HEADER, type ApiKeys, presentedKey, type Role } from "../client/api-keys.ts";
import { ManagerError } from "../errors.ts";

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);
/** Everybody may ask whether it lives. */
const OPEN = new Set(["/healthz", "/readyz"]);
/** What other roles than `manage` may do. */
const ROLES: Record<string, Role> = { "/v1/table": "route", "/v1/demand": "route", "/metrics": "monitor" };

/** With keys each request has to present one that allows it; without, only this machine may ask, and no web page on it. */
export function guard(app: FastifyInstance, keys: ApiKeys | null): void {
  app.addHook("onRequest", async (request) => {
    if (!keys) return refuseForeign(request);
    const [path = ""] = request.url.split("?");
    if (OPEN.has(path)) return;
    const own = request.headers[API_KEY_HEADER];
    const roles = keys.rolesOf(presentedKey(request.headers.authorization, Array.isArray(own) ? undefined : own));
    if (!roles) throw new ManagerError("KEY_MISSING", "this listener wants a key, and none that it knows was presented");
    const role = ROLES[path];
    if (!roles.has("manage") && !(role && roles.has(role))) throw new ManagerError("KEY_REFUSED", `this key may not ${request.method} ${path.slice(0, 100)}`);
  });
}

/** A foreign Host (DNS rebinding) or a foreign Origin (cross-site request): a loopback listener has no other protection. */
function refuseForeign({ headers: { host = "", origin } }: FastifyRequest): void {
  if (!LOOPBACK.has(hostname(host))) {
    throw new ManagerError("FOREIGN_REQUEST", `Host ${JSON.stringify(host.slice(0, 100))} is not this machine's`, "host");
  }
  if (origin !== undefined && origin !== `http://${host}`) {
    throw new ManagerError("FOREIGN_REQUEST", `Origin ${JSON.stringify(origin.slice(0, 100))} may not use this API`, "origin");
  }
}

function hostname(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, "");
}
