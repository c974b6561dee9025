import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse, STATUS_CODES } from "node:http";
import { BERTH_PREFIX, ERROR_HEADER, LOG_HEADER, PARKED_HEADER, REFUSED_HEADER, REFUSED_STATUS, type Refusal } from "../../protocol/headers.ts";
import { logError } from "./describe.ts";

const MAX_ERROR_BODY = 4096;

/** Node's own methods, taken before a function can replace them. */
const { setHeader, appendHeader, writeHead, end, destroy } = ServerResponse.prototype;
type WriteHead = (this: ServerResponse, status: number, ...rest: unknown[]) => ServerResponse;
type End = (this: ServerResponse, body?: string) => ServerResponse;

const GUARDED = Symbol("guarded");

/** The response to an invocation. A function cannot set the platform's headers on it: a forged refusal would be retried. */
export class InvocationResponse extends ServerResponse<IncomingMessage> {
  readonly [GUARDED] = true;

  constructor(req: IncomingMessage) {
    super(req);
    // Without a listener a write after the end would be an uncaught error.
    this.on("error", (error) => logError(error));
  }
}

/**
 * Guards the platform's headers on every `InvocationResponse`. It patches the prototype of all responses: frameworks such as
 * Express replace a response's prototype, which would remove methods of `InvocationResponse`.
 */
export function guardResponses(): void {
  const guard: Partial<ServerResponse> & ThisType<ServerResponse & { [GUARDED]?: true }> = {
    setHeader(name, value) {
      return this[GUARDED] && isOurs(name) ? this : setHeader.call(this, name, value);
    },
    appendHeader(name, value) {
      return this[GUARDED] && isOurs(name) ? this : appendHeader.call(this, name, value as string | string[]);
    },
    writeHead(this: ServerResponse & { [GUARDED]?: true }, status: number, ...rest: unknown[]) {
      const headers = rest.at(-1);
      if (this[GUARDED] && headers && typeof headers === "object") rest[rest.length - 1] = guarded(headers as OutgoingHttpHeaders);
      return (writeHead as WriteHead).call(this, status, ...rest);
    },
  };
  Object.assign(ServerResponse.prototype, guard);
}

/** Records on the response that the request waited `ms` milliseconds for the code to load. */
export function parkedFor(res: ServerResponse, ms: number): void {
  setHeader.call(res, PARKED_HEADER, ms.toFixed(2));
}

/** Adds the end of the invocation's log to its answer, in base64. */
export function tellLog(res: ServerResponse, log: string): void {
  setHeader.call(res, LOG_HEADER, log);
}

export function refuse(res: ServerResponse, why: Refusal): void {
  setHeader.call(res, REFUSED_HEADER, why);
  (writeHead as WriteHead).call(res, REFUSED_STATUS, { "content-length": 0 });
  (end as End).call(res);
}

/** Answers with an error of the platform, or with one that the function's code threw. Never throws, whatever the function has done to the response. */
export function platformError(res: ServerResponse, status: number, code: string, message: string): void {
  errorAnswer(res, status, code, { error: { code, message: message.slice(0, MAX_ERROR_BODY) } });
}

/** Answers with an error whose body is `content`, as JSON. Never throws. */
export function errorAnswer(res: ServerResponse, status: number, code: string, content: object): void {
  try {
    if (res.writableEnded) return;
    if (res.headersSent) return void destroy.call(res);
    for (const name of res.getHeaderNames()) if (!isOurs(name)) res.removeHeader(name);
    const body = JSON.stringify(content);
    setHeader.call(res, ERROR_HEADER, code);
    (writeHead as WriteHead).call(res, status, STATUS_CODES[status] ?? "", { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
    (end as End).call(res, body);
  } catch (error) {
    logError(error);
    destroy.call(res);
  }
}

function isOurs(name: string): boolean {
  return name.length > BERTH_PREFIX.length && name.slice(0, BERTH_PREFIX.length).toLowerCase() === BERTH_PREFIX;
}

function guarded(headers: OutgoingHttpHeaders | OutgoingHttpHeader[]): OutgoingHttpHeaders | OutgoingHttpHeader[] {
  if (!Array.isArray(headers)) return Object.fromEntries(Object.entries(headers).filter(([name]) => !isOurs(name)));
  const kept: OutgoingHttpHeader[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [name, value] = [headers[i], headers[i + 1]];
    if (name !== undefined && value !== undefined && !isOurs(String(name))) kept.push(name, value);
  }
  return kept;
}

/** Whether Content-Length may be that of another body: responses to HEAD and with 304 have none of their own (RFC 9110, 8.6). */
export function tellsOfAnother(res: ServerResponse, status: number): boolean {
  return res.req.method === "HEAD" || status === 304;
}
