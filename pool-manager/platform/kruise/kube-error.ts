/** An answer of the API server that is not 2xx, or none at all (`status` 0). */
export class KubeError extends Error {
  readonly status: number;
  /** `reason` of the Status object, such as `Conflict`, `NotFound`, `Expired`. */
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}
