import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { getRequestListener } from "@hono/node-server";
import { type Call, currentCall } from "../invocation/call.ts";
import { logError } from "../invocation/describe.ts";
import { type HeldHead, holdHead } from "../invocation/held-head.ts";
import { answerError, type Handle } from "../invocation/invoker.ts";
import { platformError } from "../invocation/response.ts";
import { withOtherSignature } from "./other-signature.ts";

export interface FetchContext {
  callId: string;
  functionName: string;
  /** Keeps the invocation running for work that continues after the response; a failure is logged. */
  waitUntil(promise: Promise<unknown>): void;
  /** Does nothing, but handlers written for Workers call it; an error of the handler is still answered with 500. */
  passThroughOnException(): void;
}

type FetchHandler = (request: Request, env: Record<string, string>, ctx: FetchContext) => unknown;

/** Node's own classes, of which `fetch()` returns one; the globals are replaced for functions. */
const { Request: NativeRequest, Response: NativeResponse } = globalThis;

/** Gives functions of other signatures Node's own classes: what they make is not sent by the adapter, and its lazy headers lack defaults. */
export function restoreFetchClasses(): void {
  Object.assign(globalThis, { Request: NativeRequest, Response: NativeResponse });
}

/**
 * Calls `export default { fetch(request, env, ctx) }`, or a bare default function with the same parameters. Request and
 * Response come from @hono/node-server, which creates Node's objects lazily.
 */
export function fetchHandle(target: unknown, from: { functionName: string; env: Record<string, string> }): Handle {
  const owner = target as { fetch?: FetchHandler };
  const handler: FetchHandler = owner.fetch ? owner.fetch.bind(owner) : (target as FetchHandler);
  const heads = new WeakMap<Call, HeldHead>();
  const callback = async (request: Request): Promise<Response> => {
    const call = currentCall.getStore() as Call;
    const response = toSend(await handler(request, from.env, contextOf(call, from.functionName)), call);
    const head = heads.get(call);
    if (head) head.type = contentTypeOf(response);
    return response;
  };
  const listener = getRequestListener(owner.fetch ? callback : hinting(callback), { errorHandler, autoCleanupIncoming: false });
  return (req, res, call) => {
    heads.set(
      call,
      holdHead(res, (error) => answerError(call, error)),
    );
    return listener(req as IncomingMessage, res as ServerResponse);
  };
}

/** Adds a hint to errors of a bare function, which may be meant for another signature. */
function hinting(callback: (request: Request) => Promise<Response>): typeof callback {
  return async (request) => {
    try {
      return await callback(request);
    } catch (error) {
      throw withOtherSignature(error);
    }
  };
}

/** Answers an error of the listener's callback, or a request without a valid URL. */
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
      call.background.push(Promise.resolve(promise).catch((error) => logError(error, "waitUntil: ")));
    },
    passThroughOnException: () => {},
  };
}

/** Takes what a handler returned as a response that can be sent. Throws where it is none. */
function toSend(returned: unknown, call: Call): Response {
  // A response that was made lazily is sent as it is: each question to it would make Node's object.
  const lazy = returned instanceof Response && lazyPartsOf(returned);
  if (lazy) return unread(returned, lazy[1]);
  if (!isResponse(returned)) throw new TypeError(`fetch() returned ${returned === null ? "null" : typeof returned}, not a Response`);
  if (returned.type === "error") throw new TypeError("fetch() returned Response.error()");
  return relayed(unread(returned, returned.body), call);
}

/** The response, whose body has to be whole: it would be sent without what was read of it. */
function unread(response: Response, body: unknown): Response {
  if (!(body instanceof ReadableStream) || (!body.locked && !Readable.isDisturbed(body as unknown as Readable))) return response;
  const [what, how] = ["fetch() returned a Response whose body has been read already, or is being read", "read that of response.clone()"];
  throw new TypeError(`${what}: ${how}, or return a new Response with what was read`);
}

/** Where a response that was made lazily keeps its parts, until somebody asks for one that makes Node's object. */
let parts: symbol | undefined;

/** Status, body and headers; null: it is Node's own, or has become it. */
function lazyPartsOf(response: Response): readonly unknown[] | null {
  parts ??= Object.getOwnPropertySymbols(new Response("")).find(({ description }) => description === "cache");
  const kept = parts && (response as unknown as { [key: symbol]: unknown })[parts];
  return Array.isArray(kept) ? kept : null;
}

/**
 * The Content-Type that Fetch gives a response whose headers have none; undefined: they have one, or the adapter's default,
 * that of text, is right. The adapter sends bytes, blobs and streams as text.
 */
function contentTypeOf(response: Response): string | null | undefined {
  const [, body, headers] = lazyPartsOf(response) ?? [200, response.body, response.headers];
  if (body === null || (headers === undefined && typeof body === "string")) return undefined;
  if (headers && hasType(headers as HeadersInit)) return undefined;
  if (typeof body === "string") return "text/plain;charset=UTF-8";
  return body instanceof Blob ? body.type || null : null;
}

function hasType(headers: HeadersInit): boolean {
  if (headers instanceof Headers) return headers.has("content-type");
  const names = Array.isArray(headers) ? headers.map(([name]) => name) : Object.keys(headers);
  return names.some((name) => name?.length === 12 && name.toLowerCase() === "content-type");
}

/** Whether this is a Response. Those of libraries with their own fetch (undici, node-fetch) have other classes and the same fields. */
function isResponse(value: unknown): value is Response {
  const { status, headers, body } = (value ?? {}) as Partial<Response>;
  return typeof status === "number" && typeof headers?.get === "function" && body !== undefined;
}

/**
 * Makes a response of any `fetch()` sendable. Its body has been decoded, so its content-encoding and content-length, which
 * describe the encoded bytes, are removed. Bodies of node-fetch are Node streams.
 */
function relayed(response: Response, call: Call): Response {
  const isDecoded = Boolean(response.url) && response.headers.has("content-encoding");
  if (!isDecoded && response instanceof NativeResponse && !response.body) return response;
  const { status, statusText } = response;
  const headers = new Headers([...response.headers]);
  if (isDecoded) for (const name of ["content-encoding", "content-length"]) headers.delete(name);
  return new NativeResponse(streamOf(response.body, call), { status, statusText, headers });
}

/**
 * Node's own stream of a body: it takes no other class for one, and some are Node's streams with the methods of both. An
 * error before the head has left is answered as the function's.
 */
function streamOf(body: unknown, call: Call): ReadableStream | null {
  if (body === null) return body;
  const stream = body as Partial<ReadableStream<Uint8Array>>;
  const source = typeof stream.getReader === "function" ? (stream as ReadableStream<Uint8Array>) : (Readable.toWeb(body as Readable) as NodeReadableStream);
  const reader = source.getReader();
  return new ReadableStream(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          if (call.res.headersSent) throw error;
          answerError(call, error);
          controller.close();
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
