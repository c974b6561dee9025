/** An answer of the API server that is not 2xx, or a missing answer (`status` 0). */
export class KubeError extends Error {
  readonly status: number;
  /** `reason` of the Status object, such as `Conflict`, `NotFound`, `Expired`. */
  readonly reason: string;
  /** How long the server asks clients to wait before a retry; null: it does not say. */
  readonly retryAfterMs: number | null;

  constructor(status: number, reason: string, message: string, retryAfterMs: number | null = null) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The API server's words for an admission webhook (failurePolicy Fail) without a usable answer. */
const NO_WEBHOOK = "failed calling webhook";

/** Whether the server has refused a write, so that nothing was written. Other answers of 500 and above leave that open. */
export function isRefusedWrite({ status, message }: KubeError): boolean {
  return (status >= 400 && status < 500) || (status >= 500 && message.includes(NO_WEBHOOK));
}

/** The message of the chart's admission policy (deploy/chart/templates/fencing.yaml): the object carries a later term than the write. */
const OUTRUN = "a later leader has written to it";

export function isOutrun({ reason, message }: KubeError): boolean {
  return reason === "Fenced" || message.includes(OUTRUN);
}
