/** An answer of the API server that is not 2xx, or none at all (`status` 0). */
export class KubeError extends Error {
  readonly status: number;
  /** `reason` of the Status object, such as `Conflict`, `NotFound`, `Expired`. */
  readonly reason: string;
  /** The server asks not to be asked again before this; null: it does not say. Milliseconds. */
  readonly retryAfterMs: number | null;

  constructor(status: number, reason: string, message: string, retryAfterMs: number | null = null) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** How the API server says that an admission webhook (failurePolicy Fail) has given no answer that it can use. */
const NO_WEBHOOK = "failed calling webhook";

/** The server has refused it: nothing was written, whatever is read afterwards. Other answers of 500 and more leave that open. */
export function isRefusal({ status, message }: KubeError): boolean {
  return (status >= 400 && status < 500) || (status >= 500 && message.includes(NO_WEBHOOK));
}

/** As the chart's admission policy says it (deploy/chart/templates/fencing.yaml): what is there carries a later term than the write. */
const OUTRUN = "a later leader has written to it";

export function isOutrun({ reason, message }: KubeError): boolean {
  return reason === "Fenced" || message.includes(OUTRUN);
}
