/** The prefix of headers between router and instance. They belong to the platform:
 * the router strips them from clients' requests, the worker from functions' responses. */
export const BERTH_PREFIX = "x-berth-";
export const FUNCTION_HEADER = "x-berth-function";
export const REVISION_HEADER = "x-berth-revision";
/** Proves to an instance that the request comes from a router. */
export const KEY_HEADER = "x-berth-key";
/** Between routers: the id of the router that passed the invocation on, which happens once. */
export const HOP_HEADER = "x-berth-hop";
export const REFUSED_HEADER = "x-berth-refused";
export const ERROR_HEADER = "x-berth-error";
/** On the response to a request that was parked while the code loaded: for how many milliseconds. */
export const PARKED_HEADER = "x-berth-parked";
/** On a request: its body is the event of a handler that takes events; another handler gets the request. */
export const EVENT_HEADER = "x-berth-event";
/** The value of `EVENT_HEADER` that asks for the end of the invocation's log too. */
export const EVENT_WITH_LOG = "log";
/** On the answer to an event: the last `LOG_TAIL_BYTES` of what the invocation has written, in base64. */
export const LOG_HEADER = "x-berth-log";
export const LOG_TAIL_BYTES = 4096;
export const CALL_ID_HEADER = "x-call-id";

/** The status of a refusal; `x-berth-refused` has the reason. User code has not run and the body has not been read. */
export const REFUSED_STATUS = 503;

/** Why an instance refused an invocation:
 * `stale`: it serves another function or revision; `full`: it is at its concurrency; `draining`: it is about to end. */
export type Refusal = "stale" | "full" | "draining";

/** Parses `x-berth-refused`. An unknown value of a later version counts as `draining`: the invocation is retried elsewhere, and the instance is not picked for a while. */
export function refusalOf(value: string): Refusal {
  return value === "stale" || value === "full" ? value : "draining";
}
