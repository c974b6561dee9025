import type { LoadFailure } from "../pool-manager/client/contract.ts";

/** Every error that the router itself answers with: HTTP status, and what to do. Documented in docs/errors.md. */
export const ROUTER_ERRORS = {
  PATH_INVALID: [404, "invoke /function/NAME or /function/NAME/path"],
  REQUEST_INVALID: [400, "send one valid Host, one Content-Length or Transfer-Encoding: chunked, and HTTP/1.1"],
  PAGE_REFUSED: [403, "call it from a program: the pool manager is not managed from web pages by a router's address"],
  MANAGE_ELSEWHERE: [404, "name the pool manager's address as the gateway, or start the router with --openfaas"],
  MANAGE_BUSY: [429, "retry later, or end streams of logs"],
  MANAGER_UNREACHABLE: [503, "retry: another pool manager may be about to lead"],
  KEY_MISSING: [401, "send x-berth-api-key: KEY with the role invoke"],
  KEY_REFUSED: [403, "use a key with the role invoke"],
  ACTION_UNKNOWN: [404, "of Lambda's API there is Invoke alone: POST /2015-03-31/functions/NAME/invocations; deploy with berth deploy or the manage API"],
  CALL_INVALID: [400, "name the function by its name or ARN, with one qualifier at most, and RequestResponse or DryRun as the invocation type"],
  ASYNC_UNSUPPORTED: [501, "invoke it and wait for its answer, at /function/NAME or with the type RequestResponse: there are no asynchronous invocations"],
  PAYLOAD_INVALID: [400, "send JSON as the payload, or nothing"],
  METHOD_NOT_ALLOWED: [405, "use another method"],
  HEAD_TOO_LARGE: [431, "send fewer or shorter headers: a head has at most 16 KiB and 1,000 headers"],
  HEAD_TOO_SLOW: [408, "send the whole head within 20 s"],
  EXPECTATION_UNKNOWN: [417, "expect 100-continue, or nothing"],
  BODY_TOO_SLOW: [408, "send the body at once, or use the chunked coding for one that grows"],
  FUNCTION_NOT_FOUND: [404, "deploy it: berth deploy NAME --from DIR; berth list shows what is deployed"],
  REVISION_NOT_SERVED: [404, "give it an alias or a share: berth traffic NAME --alias next=REVISION"],
  FUNCTION_DELETED: [503, "the function was deleted while this invocation ran"],
  BODY_TOO_LARGE: [413, "send a smaller body, or raise --max-body for invocations"],
  QUEUE_FULL: [429, "retry later, or raise the function's queueDepth or maxScale"],
  QUEUE_TIMEOUT: [504, "no instance became free in time: raise queueTimeout, maxScale or the pool's max"],
  POOL_BLOCKED: [503, "berth pool get POOL shows what blocks the pool; it recovers by itself once that is fixed"],
  RUNTIME_UNAVAILABLE: [503, "berth doctor shows what the runtime needs on the machine of berth: install it there, and start berth again"],
  FUNCTION_LOAD_FAILED: [502, "correct the code and deploy it again; berth logs NAME shows more"],
  FUNCTION_LOAD_TIMEOUT: [504, "make the code load faster, or raise loadTimeout"],
  FUNCTION_CRASHED: [502, "berth logs NAME shows why the function's process ended"],
  OUT_OF_MEMORY: [502, "raise the function's memory, lower its concurrency, or make it use less: berth deploy NAME --memory 512Mi"],
  FUNCTION_TIMEOUT: [504, "make the function faster, or raise its timeout"],
  UPGRADE_UNSUPPORTED: [501, "export upgrade(req, socket, head) beside the handler, or a server with a listener for this event; see docs/routers.md"],
  EVENT_INVALID: [400, "POST {data, context}, a message as Pub/Sub pushes it, or a CloudEvent, with content-type: application/json"],
  EVENT_BATCHED: [415, "send each CloudEvent in a request of its own"],
  FUNCTION_ERROR: [500, "the handler threw; berth logs NAME shows the stack"],
  RESPONSE_INVALID: [502, "answer with a status from 200 to 599, a head of at most 64 KiB, and either a Content-Length or chunks"],
  INSTANCE_UNAVAILABLE: [503, "the instance refused the invocation and its body was too large to send again: retry"],
  INSTANCE_LOST: [502, "the function may have run: retry if that does no harm"],
  ROUTER_LOST: [502, "the function may have run: retry if that does no harm"],
  NOT_READY: [503, "the router has no table yet: retry"],
  SHUTTING_DOWN: [503, "this router is stopping: retry"],
} as const satisfies Record<string, readonly [number, string]>;

export type RouterErrorCode = keyof typeof ROUTER_ERRORS;

/** The code of a platform error as an instance reports it in a header; null: there is no such code. */
export function errorCodeOf(reported: string | undefined): RouterErrorCode | null {
  return reported !== undefined && Object.hasOwn(ROUTER_ERRORS, reported) ? (reported as RouterErrorCode) : null;
}

/** The error of an invocation, by the reason for which its instance failed. */
export const FAILURE_CODES = {
  load: "FUNCTION_LOAD_FAILED",
  timeout: "FUNCTION_LOAD_TIMEOUT",
  memory: "OUT_OF_MEMORY",
  crash: "FUNCTION_CRASHED",
  runtime: "RUNTIME_UNAVAILABLE",
} as const satisfies Record<string, RouterErrorCode>;

/**
 * Messages for clients that must not see those of the function or of its process, which may contain stacks, paths and
 * addresses of services.
 */
const FOR_STRANGERS: Partial<Record<RouterErrorCode, string>> = {
  FUNCTION_LOAD_FAILED: "the function's code does not load",
  FUNCTION_LOAD_TIMEOUT: "the function's code did not load in time",
  FUNCTION_CRASHED: "the function's process ended before it answered",
  FUNCTION_ERROR: "the function's handler threw an error",
  RESPONSE_INVALID: "the function's response cannot be passed on",
  POOL_BLOCKED: "no instance became free, and no other can come at present",
  RUNTIME_UNAVAILABLE: "the function's runtime is not available at present",
};

/**
 * The message about a failure for callers whose own invocation did not fail: the words of a crash are those of another
 * caller's invocation. Those of a load are of the code alone.
 */
export function wordsForOthers(name: string, { reason, message }: Pick<LoadFailure, "reason" | "message">): string {
  return reason === "crash" || reason === "memory"
    ? `the process of ${name} has ended again and again soon after its load, and is started again later`
    : message;
}

export function isForStrangers(code: RouterErrorCode): boolean {
  return FOR_STRANGERS[code] === undefined;
}

/** An error with which the router itself answers an invocation. */
export class RouterError extends Error {
  readonly code: RouterErrorCode;
  /** The value of Retry-After; undefined: the status decides whether there is one. */
  readonly retryAfterMs: number | undefined;

  constructor(code: RouterErrorCode, message: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }

  get status(): number {
    return ROUTER_ERRORS[this.code][0];
  }

  get fix(): string {
    return ROUTER_ERRORS[this.code][1];
  }

  /** The same error with a message that comes from Berth alone. */
  forStrangers(): RouterError {
    const message = FOR_STRANGERS[this.code];
    return message === undefined ? this : new RouterError(this.code, message, this.retryAfterMs);
  }
}
