import { KubeError } from "./error.ts";

export interface Call {
  method: string;
  path: string;
  query?: Record<string, string> | undefined;
  body?: unknown;
  contentType?: string;
  /** The call fails if its answer takes longer. */
  timeoutMs: number;
}

export interface Answer {
  status: number;
  body: Buffer;
  /** The Retry-After header as received, in seconds. */
  retryAfter?: string | undefined;
  /** As it came: the time of day by the API server's clock. */
  date?: string | undefined;
}

/** Sends requests to the API server: over HTTPS, or in tests to an API in memory. */
export interface Transport {
  /** Resolves with the complete answer, whatever its status. Rejects with a `KubeError` of status 0 if there is none. */
  send(call: Call): Promise<Answer>;
  /**
   * Opens a streaming answer and calls `onLine` for each line. Calls `onEnd` once when the stream has ended, with an error
   * if it was refused or broke off. Returns the function that ends it.
   */
  stream(call: Call, onLine: (line: string) => void, onEnd: (error: KubeError | null) => void): () => void;
  close(): void;
}

export function unreachable(error: Error): KubeError {
  return error instanceof KubeError ? error : new KubeError(0, "Unreachable", `the API server does not answer: ${error.message}`);
}

/**
 * The error of a request without a complete answer in time. Writes get a reason of their own: an admission webhook may
 * hang although the API server is reachable.
 */
export function tooLate({ method, path, timeoutMs }: Call): KubeError {
  if (method === "GET") return unreachable(new Error(`no answer within ${timeoutMs} ms`));
  return new KubeError(0, "Timeout", `no answer to ${method} ${path} within ${timeoutMs} ms: an admission webhook may hang, or the API server`);
}

/** The error in an answer that is not 2xx: a Status object, or plain text if the path is not served at all. */
export function errorOf({ status, body, retryAfter }: Answer): KubeError {
  const text = body.toString("utf8");
  const wait = Number.parseInt(retryAfter ?? "", 10);
  const retryAfterMs = Number.isNaN(wait) ? null : wait * 1000;
  try {
    const { reason = "", message = text } = JSON.parse(text) as { reason?: string; message?: string };
    return new KubeError(status, reason, message, retryAfterMs);
  } catch {
    return new KubeError(status, "", text.slice(0, 500) || `status ${status}`, retryAfterMs);
  }
}
