import { type IncomingMessage, request } from "node:http";
import { API_KEY_HEADER } from "../../client/api-keys.ts";
import type { RouterPeer } from "../../client/contract.ts";
import { type TimedPhase, timedPhases } from "../../client/server-timing.ts";
import { ManagerError } from "../../errors.ts";

const MAX_CONCURRENT = 16;
const MAX_ANSWER_BYTES = 256 * 1024;
/** The longest time that an invocation from here may take, whatever the function's own limits. */
const DEADLINE_MS = 110_000;
/** Headers that belong to a connection, or by which routers and platforms speak to each other. */
const NOT_PASSED = /^(host|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|content-length|x-berth-.*|x-forwarded-.*|forwarded)$/i;

export interface InvokeRequest {
  method?: string;
  path?: string;
  revision?: string;
  headers?: Record<string, string>;
  body?: string;
}

export interface InvokeAnswer {
  status: number;
  headers: [string, string][];
  body: string;
  isBase64: boolean;
  truncated: boolean;
  start: string | null;
  revision: string | null;
  callId: string | null;
  totalMs: number;
  phases: Record<TimedPhase, number> | null;
}

/** Invokes functions through a router for callers that reach the manage API alone, such as the dashboard's page. It speaks to routers only, and only at paths of functions. */
export class InvocationProxy {
  readonly #router: () => Omit<RouterPeer, "id"> | null;
  #running = 0;

  constructor(router: () => Omit<RouterPeer, "id"> | null) {
    this.#router = router;
  }

  /** `key`: the caller's own, which must have the role `invoke` where routers have keys. Throws `NO_ROUTER`, `ROUTER_FAILED` and `TOO_MANY_STREAMS`. */
  async invoke(name: string, asked: InvokeRequest, key: string | null): Promise<InvokeAnswer> {
    const router = this.#router();
    if (!router) throw new ManagerError("NO_ROUTER", "no router is connected to this pool manager");
    if (this.#running >= MAX_CONCURRENT) throw new ManagerError("TOO_MANY_STREAMS", `${MAX_CONCURRENT} invocations through the manage API are running`);
    this.#running += 1;
    const began = performance.now();
    try {
      const { response, body, truncated } = await send(router, name, asked, key);
      return { ...described(response), ...textOf(body, truncated), truncated, totalMs: performance.now() - began };
    } catch (error) {
      throw new ManagerError("ROUTER_FAILED", `the router at ${router.host}:${router.port} gave no answer: ${(error as Error).message}`);
    } finally {
      this.#running -= 1;
    }
  }
}

interface Received {
  response: IncomingMessage;
  body: Buffer;
  truncated: boolean;
}

function send({ host, port }: Omit<RouterPeer, "id">, name: string, asked: InvokeRequest, key: string | null): Promise<Received> {
  const { body, path = "/", revision, method = body ? "POST" : "GET" } = asked;
  const headers = Object.fromEntries(Object.entries(asked.headers ?? {}).filter(([header]) => !NOT_PASSED.test(header)));
  if (body !== undefined) headers["content-length"] = String(Buffer.byteLength(body));
  if (key !== null) headers[API_KEY_HEADER] = key;
  const target = `/function/${name}${revision === undefined ? "" : `@${revision}`}${path}`;
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const req = request({ host, port, method, path: target, headers, agent: false, signal }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const end = (truncated: boolean) => resolve({ response, body: Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES), truncated });
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size <= MAX_ANSWER_BYTES) return;
        end(true);
        req.destroy();
      });
      response.on("end", () => end(false));
      response.on("error", reject);
    });
    // A function that answers with an upgrade that nobody asked for.
    req.on("upgrade", (_response, socket) => socket.destroy());
    req.on("error", (error) => reject(signal.aborted ? new Error(`it took longer than ${DEADLINE_MS / 1000} s`) : error));
    req.end(body);
  });
}

function described({
  statusCode = 0,
  headers,
  rawHeaders,
}: IncomingMessage): Pick<InvokeAnswer, "status" | "headers" | "start" | "revision" | "callId" | "phases"> {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) pairs.push([rawHeaders[i] as string, rawHeaders[i + 1] as string]);
  const one = (name: string) => String(headers[name] ?? "") || null;
  const start = one("x-berth-start");
  return {
    status: statusCode,
    headers: pairs,
    start,
    revision: one("x-berth-revision"),
    callId: one("x-call-id"),
    phases: start === null ? null : { queue: 0, claim: 0, load: 0, run: 0, ...timedPhases(one("server-timing") ?? "") },
  };
}

function textOf(bytes: Buffer, truncated: boolean): Pick<InvokeAnswer, "body" | "isBase64"> {
  try {
    // A character may have been cut in two.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: truncated });
    if (!text.includes("\u0000")) return { body: text, isBase64: false };
  } catch {
    // No text.
  }
  return { body: bytes.toString("base64"), isBase64: true };
}
