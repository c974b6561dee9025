export interface RouterConfig {
  host: string;
  /** 0: any free port. */
  port: number;
  /** Largest request body, in bytes. */
  maxBodyBytes: number;
  /** How long running invocations get when the router stops. Milliseconds. */
  drainMs: number;
}
