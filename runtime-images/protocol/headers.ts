/** Headers between router and instance. Everything that starts with `x-berth-` belongs to the
 * platform: the router strips it from clients' requests, the worker strips it from functions' responses. */
export const BERTH_PREFIX = "x-berth-";
export const FUNCTION_HEADER = "x-berth-function";
export const REVISION_HEADER = "x-berth-revision";
/** Proves to an instance that the request comes from a router. */
export const KEY_HEADER = "x-berth-key";
/** Between routers: who has passed the invocation on. It is passed on once. */
export const HOP_HEADER = "x-berth-hop";
export const REFUSED_HEADER = "x-berth-refused";
export const ERROR_HEADER = "x-berth-error";
/** On a response that was parked until the code had loaded: for how many milliseconds. */
export const PARKED_HEADER = "x-berth-parked";
export const CALL_ID_HEADER = "x-call-id";

/** Status of a refusal; `x-berth-refused` says why. User code has not run and the body was not read. */
export const REFUSED_STATUS = 503;

/** Why an instance turned an invocation away:
 * `stale`: it serves another function or revision; `full`: at its concurrency; `draining`: about to leave. */
export type Refusal = "stale" | "full" | "draining";

/** What an instance of a later version says that this one does not know counts as `draining`: it goes on elsewhere, and the instance rests. */
export function refusalOf(said: string): Refusal {
  return said === "stale" || said === "full" ? said : "draining";
}
