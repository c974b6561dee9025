/** Every error that the router itself answers with: HTTP status, and what to do. Documented in docs/errors.md. */
export const ROUTER_ERRORS = {
  PATH_INVALID: [404, "invoke /function/NAME or /function/NAME/path"],
  FUNCTION_NOT_FOUND: [404, "deploy it: berth deploy NAME --from DIR; berth list shows what is deployed"],
  FUNCTION_DELETED: [503, "the function was deleted while this invocation ran"],
  BODY_TOO_LARGE: [413, "send a smaller body, or raise --max-body"],
  QUEUE_FULL: [429, "retry later, or raise the function's queueDepth or maxScale"],
  QUEUE_TIMEOUT: [504, "no instance became free in time: raise queueTimeout, maxScale or the pool's max"],
  FUNCTION_LOAD_FAILED: [502, "correct the code and deploy it again; berth logs NAME shows more"],
  FUNCTION_LOAD_TIMEOUT: [504, "make the code load faster, or raise loadTimeout"],
  FUNCTION_CRASHED: [502, "berth logs NAME shows why the function's process ended"],
  FUNCTION_TIMEOUT: [504, "make the function faster, or raise its timeout"],
  FUNCTION_ERROR: [500, "the handler threw; berth logs NAME shows the stack"],
  INSTANCE_UNAVAILABLE: [503, "the instance turned the invocation away and its body was too large to send again: retry"],
  NOT_READY: [503, "the router has no table yet: retry"],
  SHUTTING_DOWN: [503, "this router is stopping: retry"],
} as const satisfies Record<string, readonly [number, string]>;

export type RouterErrorCode = keyof typeof ROUTER_ERRORS;

/** An invocation that ends with an answer of the router's own. */
export class RouterError extends Error {
  readonly code: RouterErrorCode;
  /** Milliseconds, for Retry-After. */
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
}
