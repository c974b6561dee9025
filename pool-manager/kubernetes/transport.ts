import { KubeError } from "./error.ts";

export interface Call {
  method: string;
  path: string;
  query?: Record<string, string> | undefined;
  body?: unknown;
  contentType?: string;
  /** Without an answer by then it has failed. Milliseconds. */
  timeoutMs: number;
}

export interface Answer {
  status: number;
  body: Buffer;
  /** The header of that name, as it came. Seconds. */
  retryAfter?: string | undefined;
  /** As it came: the time of day by the API server's clock. */
  date?: string | undefined;
}

/** What sends a request to the API server: HTTPS, or in tests an API in memory. */
export interface Transport {
  /** Resolves with the whole answer, whatever its status. Rejects with a `KubeError` of status 0 where there is none. */
  send(call: Call): Promise<Answer>;
  /**
   * Opens a streaming answer and calls `onLine` for each of its lines; `onEnd` once when it has ended, with an error
   * where it was refused or broke off. Returns the function that ends it.
   */
  stream(call: Call, onLine: (line: string) => void, onEnd: (error: KubeError | null) => void): () => void;
  close(): void;
}

export function unreachable(error: Error): KubeError {
  return error instanceof KubeError ? error : new KubeError(0, "Unreachable", `the API server does not answer: ${error.message}`);
}

/** A request that had no whole answer in its time. A write that only a webhook holds up does not look like an API server that is away. */
export function tooLate({ method, path, timeoutMs }: Call): KubeError {
  if (method === "GET") return unreachable(new Error(`no answer within ${timeoutMs} ms`));
  return new KubeError(0, "Timeout", `no answer to ${method} ${path} within ${timeoutMs} ms: an admission webhook may hang, or the API server`);
}

/** What an answer that is not 2xx says: a Status object, or plain text where the path is not served at all. */
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
