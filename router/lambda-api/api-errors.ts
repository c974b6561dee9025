import { ROUTER_ERRORS, type RouterErrorCode } from "../errors.ts";

interface ApiError {
  status: number;
  headers: readonly string[];
  body: string;
}

/** Errors of the call, by Lambda's names for them, with the status that its clients expect. */
const OF_CALLS: Partial<Record<RouterErrorCode, readonly [status: number, type: string]>> = {
  KEY_MISSING: [403, "UnrecognizedClientException"],
  KEY_REFUSED: [403, "AccessDeniedException"],
  ACTION_UNKNOWN: [404, "UnknownOperationException"],
  CALL_INVALID: [400, "InvalidParameterValueException"],
  ASYNC_UNSUPPORTED: [501, "NotImplementedException"],
  FUNCTION_NOT_FOUND: [404, "ResourceNotFoundException"],
  REVISION_NOT_SERVED: [404, "ResourceNotFoundException"],
  PAYLOAD_INVALID: [400, "InvalidRequestContentException"],
  EVENT_INVALID: [400, "InvalidRequestContentException"],
  BODY_TOO_SLOW: [408, "InvalidRequestContentException"],
  BODY_TOO_LARGE: [413, "RequestTooLargeException"],
  QUEUE_FULL: [429, "TooManyRequestsException"],
  QUEUE_TIMEOUT: [429, "TooManyRequestsException"],
  POOL_BLOCKED: [503, "ServiceException"],
  RUNTIME_UNAVAILABLE: [503, "ServiceException"],
  INSTANCE_UNAVAILABLE: [503, "ServiceException"],
  NOT_READY: [503, "ServiceException"],
};

/** Errors of functions that Lambda has a name for; any other has Berth's code. */
const OF_FUNCTIONS: Partial<Record<RouterErrorCode, string>> = {
  FUNCTION_TIMEOUT: "Sandbox.Timedout",
  FUNCTION_CRASHED: "Runtime.ExitError",
};

/**
 * An error of the router as Lambda's API tells it. A failure after the function may have run is an error of the function,
 * with status 200: clients of Lambda send a request with status 500 or more again by themselves.
 */
export function apiErrorOf(code: RouterErrorCode, message: string): ApiError {
  const known = OF_CALLS[code];
  if (!known) return functionError({ errorType: OF_FUNCTIONS[code] ?? code, errorMessage: message });
  const [status, type] = known;
  const said = `${message} (${code}): ${ROUTER_ERRORS[code][1]}`;
  const reason = status === 429 ? { Reason: "ConcurrentInvocationLimitExceeded" } : {};
  // Lambda's own model has the message in either case, by the type of the error.
  const body = { Type: status < 500 ? "User" : "Service", ...reason, Message: said, message: said };
  return { status, headers: ["x-amzn-errortype", type], body: JSON.stringify(body) };
}

/** The answer to an invocation whose function failed. */
export function functionError(content: object): ApiError {
  return { status: 200, headers: ["x-amz-function-error", "Unhandled"], body: JSON.stringify(content) };
}
