import { API_KEY_HEADER, type ApiKeys } from "../../pool-manager/client/api-keys.ts";
import { HOP_HEADER } from "../../runtime-images/protocol/headers.ts";
import type { RouterConfig } from "../config.ts";
import { sendError } from "../downstream/error-response.ts";
import type { Exchange, InFlight, RequestBody } from "../downstream/exchange.ts";
import { RouterError } from "../errors.ts";
import { InvokeExchange, PassedOnExchange } from "../lambda-api/invoke-exchange.ts";
import { isLambdaApi } from "../lambda-api/invoke-target.ts";
import type { ManageProxy } from "../openfaas-api/manage-proxy.ts";
import { openFaasCallOf } from "../openfaas-api/managed-path.ts";
import { LEAVING_PATH } from "../routing/leave-notice.ts";
import type { ServedRevision } from "../routing/served-revision.ts";
import type { ServedRevisions } from "../routing/served-revisions.ts";
import { Forward } from "./forward.ts";
import { Invocation } from "./invocation.ts";
import { calledBy, type InvocationTarget, invocationTargetOf } from "./target.ts";

/** The answers of a router besides invocations. */
export interface Besides {
  /** Why it must not receive invocations; null: it may. */
  unready: string | null;
  /** Null: it does not manage. */
  manage: ManageProxy | null;
}

/**
 * Routes a request to its function: `ANY /function/NAME[/path]`, `ANY` at the function's host, or Invoke of Lambda's API. Other
 * paths are health checks, OpenFaaS's, or errors.
 */
export function handleRequest(exchange: Exchange, functions: ServedRevisions, config: RouterConfig, besides: Besides): void {
  const found = invocationTargetOf(exchange, config.domain);
  if (!found && isLambdaApi(exchange.url)) return handleCall(exchange, functions, config);
  if (!found && !isLeaveNotice(exchange)) return other(exchange, besides);
  const refused = refusal(exchange, config.keys);
  if (refused) return sendError(exchange, refused);
  if (!found) return functions.peerLeaves(exchange) ? exchange.answer(200, TEXT, "ok\n") : other(exchange, besides);
  find(exchange, functions, found, (entry) => invoke(entry, exchange, exchange, found, config.maxBodyBytes));
}

/** Serves a call of Lambda's API: the same keys are checked as for every invocation, and before anything of it is answered. */
function handleCall(inner: Exchange, functions: ServedRevisions, { keys, maxBodyBytes }: RouterConfig): void {
  const exchange = new InvokeExchange(inner);
  const target = refusal(exchange, keys) ?? calledBy(inner);
  if (target instanceof RouterError) return sendError(exchange, target);
  find(exchange, functions, target, (entry) => {
    if (target.isDry) exchange.approve();
    else invoke(entry, exchange, new PassedOnExchange(inner), target, maxBodyBytes);
  });
}

/** Calls `serve` with the revision that the target names; waits for it if the table may be stale. */
function find(exchange: Exchange, functions: ServedRevisions, target: InvocationTarget, serve: (entry: ServedRevision) => void): void {
  const entry = choose(functions, target, exchange);
  if (entry) return serve(entry);
  const { table, pendingLookups } = functions;
  const answer = () => sendError(exchange, notFound(functions, target));
  const retry = () => {
    const found = choose(functions, target, exchange);
    if (found) serve(found);
    else answer();
  };
  if (!table.ready || table.fresh || !pendingLookups.hold(exchange, retry)) answer();
}

/**
 * Why the request's API key does not suffice; null: it does. The key has a header of its own, since a bearer token belongs
 * to the function, which receives it. Only routers may pass invocations on, since the receiver serves them without checking
 * whether it owns the slots.
 */
function refusal(exchange: Exchange, keys: ApiKeys | null): RouterError | null {
  if (!keys) return null;
  const roles = keys.rolesOf(exchange.header(API_KEY_HEADER));
  if (!roles) return new RouterError("KEY_MISSING", "this router requires an API key, and the request has no valid one");
  const role = exchange.header(HOP_HEADER) === undefined ? "invoke" : "route";
  return roles.has(role) ? null : new RouterError("KEY_REFUSED", `this key does not have the role ${role}`);
}

function choose(functions: ServedRevisions, { name, version }: InvocationTarget, exchange: Exchange): ServedRevision | undefined {
  if (version === null) return functions.next(name);
  const entry = functions.version(name, version);
  // The router that passed it on chose by another version of the table: this router chooses anew.
  return entry ?? (exchange.header(HOP_HEADER) === undefined ? undefined : functions.next(name));
}

function notFound(functions: ServedRevisions, { name, version }: InvocationTarget): RouterError {
  const { ready, fresh } = functions.table;
  if (!fresh) return new RouterError("NOT_READY", ready ? "the table is not up to date, and may lack the function" : "the router has no table yet", 1000);
  const shown = JSON.stringify(name.slice(0, 80));
  if (version === null || !functions.has(name)) return new RouterError("FUNCTION_NOT_FOUND", `there is no function ${shown}`);
  return new RouterError("REVISION_NOT_SERVED", `no revision or alias ${JSON.stringify(version.slice(0, 80))} of ${shown} is served`);
}

/** `passedOn`: the exchange as it is passed on to another router. */
function invoke(entry: ServedRevision, exchange: Exchange, passedOn: Exchange, route: InvocationTarget, maxBytes: number): void {
  const arrivedAt = entry.clock.now();
  const serve = (body: RequestBody): InFlight => {
    const invocation = new Invocation(entry, exchange, route, body, arrivedAt);
    entry.limiter.acquire(invocation);
    return invocation;
  };
  const { owner } = entry;
  // An invocation is passed on once: the receiver serves it even if it does not own the slots; the instance's own cap is the backstop.
  if (owner === null || exchange.header(HOP_HEADER) !== undefined) exchange.takeBody(maxBytes, serve);
  else exchange.takeBody(maxBytes, (body) => new Forward(entry, owner, passedOn, body, serve));
}

function isLeaveNotice({ method, url }: Exchange): boolean {
  return url === LEAVING_PATH && method === "POST";
}

function other(exchange: Exchange, { unready, manage }: Besides): void {
  const { url } = exchange;
  const path = url.split("?")[0];
  if (path === "/healthz") return exchange.answer(200, TEXT, "ok\n");
  if (path === "/readyz") return unready === null ? exchange.answer(200, TEXT, "ready\n") : exchange.answer(503, TEXT, `${unready}\n`);
  const call = openFaasCallOf(url);
  if (call === "manage" && manage) return manage.pass(exchange);
  if (call === "manage") return sendError(exchange, new RouterError("MANAGE_ELSEWHERE", "this router does not pass OpenFaaS's API on to its pool manager"));
  if (call === "async") return sendError(exchange, new RouterError("ASYNC_UNSUPPORTED", "an invocation at /async-function would be asynchronous"));
  sendError(exchange, new RouterError("PATH_INVALID", `there is nothing at ${JSON.stringify(url.slice(0, 100))}`));
}

const TEXT = ["content-type", "text/plain"];
