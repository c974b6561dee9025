/** Input of a replay that cannot be used. */
export class ReplayError extends Error {
  readonly code: "USAGE" | "TRACE_UNREADABLE" | "TRACE_INVALID" | "TRACE_TOO_LARGE" | "POLICY_INVALID";
  /** How to mend it. */
  readonly fix: string;

  constructor(code: ReplayError["code"], message: string, fix: string) {
    super(message);
    this.code = code;
    this.fix = fix;
  }
}
