import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import type { Handle } from "./invoker.ts";
import type { GuardedResponse } from "./response.ts";

export interface FetchContext {
  callId: string;
  functionName: string;
  /** Work that goes on after the response; a failure is logged. */
  waitUntil(promise: Promise<unknown>): void;
}

type FetchHandler = (request: Request, env: Record<string, string>, ctx: FetchContext) => unknown;

/** `export default { fetch(request, env, ctx) }`; a bare default function is called alike. */
export function fetchHandle(target: unknown, from: { functionName: string; env: Record<string, string> }): Handle {
  const owner = target as { fetch?: FetchHandler };
  const handler: FetchHandler = owner.fetch ? owner.fetch.bind(owner) : (target as FetchHandler);
  return async (req, res, callId) => {
    const gone = new AbortController();
    res.once("close", () => gone.abort());
    const pending: Promise<unknown>[] = [];
    const waitUntil = (promise: Promise<unknown>) => void pending.push(Promise.resolve(promise).catch(logFailure));
    const request = toRequest(req, gone.signal);
    const response = await handler(request, from.env, { callId, functionName: from.functionName, waitUntil });
    if (!(response instanceof Response)) throw new TypeError(`fetch() returned ${typeOf(response)}, not a Response`);
    await send(response, res);
    await Promise.all(pending);
  };
}

function toRequest(req: IncomingMessage, signal: AbortSignal): Request {
  const headers: [string, string][] = [];
  for (let i = 0; i < req.rawHeaders.length; i += 2) headers.push([req.rawHeaders[i] as string, req.rawHeaders[i + 1] as string]);
  const url = new URL(req.url ?? "/", `http://${req.headers.host ?? "function"}`);
  const hasBody = req.headers["content-length"] !== undefined || req.headers["transfer-encoding"] !== undefined;
  const bodyless = req.method === "GET" || req.method === "HEAD" || !hasBody;
  const body = bodyless ? null : (Readable.toWeb(req) as ReadableStream);
  return new Request(url, { method: req.method, headers, body, signal, duplex: "half" } as RequestInit);
}

/** Streams with backpressure; a client that left cancels the body. */
async function send(response: Response, res: GuardedResponse): Promise<void> {
  for (const [name, value] of response.headers) if (name !== "set-cookie") res.setHeader(name, value);
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) res.setHeader("set-cookie", cookies);
  res.statusCode = response.status;
  if (response.statusText) res.statusMessage = response.statusText;
  if (!response.body) {
    res.end();
    return;
  }
  const reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  res.once("close", () => void reader.cancel().catch(() => {}));
  const first = await reader.read();
  let next = reader.read();
  // Most bodies are one chunk whose end is known at once: they go out whole, in one write and with a length.
  if (first.done || (await Promise.race([next, soon()]))?.done) {
    res.end(first.value);
    return;
  }
  res.write(first.value);
  for (let chunk = await next; !chunk.done && !res.destroyed; chunk = await next) {
    if (!res.write(chunk.value)) await Promise.race([once(res, "drain"), once(res, "close")]);
    next = reader.read();
  }
  res.end();
}

function soon(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(resolve, undefined));
}

function logFailure(error: unknown): void {
  console.error("waitUntil:", error);
}

function typeOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}
