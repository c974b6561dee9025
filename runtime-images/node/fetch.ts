import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { getRequestListener } from "@hono/node-server";
import { type Call, currentCall } from "./call.ts";
import { stackOf } from "./describe.ts";
import { answerError, type Handle } from "./invoker.ts";
import { platformError } from "./response.ts";

export interface FetchContext {
  callId: string;
  functionName: string;
  /** Work that goes on after the response; a failure is logged. */
  waitUntil(promise: Promise<unknown>): void;
  /** Handlers that were written for Workers call it; a handler that throws is answered with 500 all the same. */
  passThroughOnException(): void;
}

type FetchHandler = (request: Request, env: Record<string, string>, ctx: FetchContext) => unknown;

/** Node's own class: what `fetch()` returns, whatever stands in its place for functions. */
const NativeResponse = globalThis.Response;

/**
 * `export default { fetch(request, env, ctx) }`; a bare default function is called alike. Request and Response are made
 * by @hono/node-server, which creates Node's objects only for what a handler asks of them.
 */
export function fetchHandle(target: unknown, from: { functionName: string; env: Record<string, string> }): Handle {
  const owner = target as { fetch?: FetchHandler };
  const handler: FetchHandler = owner.fetch ? owner.fetch.bind(owner) : (target as FetchHandler);
  const callback = async (request: Request): Promise<Response> => {
    const call = currentCall.getStore() as Call;
    return toSend(await handler(request, from.env, contextOf(call, from.functionName)));
  };
  const listener = getRequestListener(callback, { errorHandler, autoCleanupIncoming: false });
  return (req, res) => listener(req as IncomingMessage, res as ServerResponse);
}

/** The listener's callback has thrown, or the request makes no URL. */
function errorHandler(error: unknown): void {
  const call = currentCall.getStore() as Call;
  if ((error as Error | undefined)?.name === "RequestError") platformError(call.res, 400, "REQUEST_INVALID", (error as Error).message);
  else answerError(call, error);
}

function contextOf(call: Call, functionName: string): FetchContext {
  return {
    callId: call.id,
    functionName,
    waitUntil: (promise) => {
      call.background ??= [];
      call.background.push(Promise.resolve(promise).catch(logFailure));
    },
    passThroughOnException: () => {},
  };
}

/** What a handler returned, as something that can be sent. Throws where it is no response. */
function toSend(returned: unknown): Response {
  if (!(returned instanceof Response)) return ofOtherClass(returned);
  if (Object.getPrototypeOf(returned) === NativeResponse.prototype) return relayed(returned);
  return returned;
}

/** A response that `fetch()` gave has been decoded: its coding and its length are those of bytes that are gone. */
function relayed(response: Response): Response {
  if (response.type === "error") throw new TypeError("fetch() returned Response.error()");
  if (response.url === "" || !response.headers.has("content-encoding")) return response;
  const headers = new Headers(response.headers);
  headers.delete("content-encoding");
  headers.delete("content-length");
  const { status, statusText } = response;
  return new NativeResponse(response.body, { status, statusText, headers });
}

/** Responses of libraries that bring their own fetch (undici, node-fetch) have the same fields. */
function ofOtherClass(returned: unknown): Response {
  const { status, headers, body } = (returned ?? {}) as { status?: unknown; headers?: unknown; body?: unknown };
  const isResponse = typeof status === "number" && typeof (headers as Headers | undefined)?.get === "function" && body !== undefined;
  if (!isResponse) throw new TypeError(`fetch() returned ${typeOf(returned)}, not a Response`);
  const kept = new Headers([...(headers as Iterable<[string, string]>)]);
  if (kept.has("content-encoding")) for (const name of ["content-encoding", "content-length"]) kept.delete(name);
  const stream = body instanceof Readable ? (Readable.toWeb(body) as NodeReadableStream as ReadableStream) : (body as BodyInit | null);
  return new NativeResponse(stream, { status: status as number, headers: kept });
}

function logFailure(error: unknown): void {
  process.stderr.write(`waitUntil: ${stackOf(error)}\n`);
}

function typeOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}
