import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent, type AgentOptions, request } from "node:https";
import type { Credentials } from "./credentials.ts";
import { KubeError } from "./error.ts";
import { type Answer, type Call, errorOf, type Transport, tooLate, unreachable } from "./transport.ts";

/** The most connections to the API server; further requests wait. */
const MAX_SOCKETS = 32;
/** Leases have connections of their own: log reads from unresponsive nodes may occupy all others, and must not cost the leadership. */
const LEASES = "/apis/coordination.k8s.io/";
const LEASE_SOCKETS = 4;
/** The longest accepted line of a stream, in characters. */
const MAX_LINE = 16 * 1024 * 1024;

/**
 * Sends requests over keep-alive agents. Each stream has its own connection. A server may be `http:`, as of `kubectl proxy`.
 */
export class HttpsTransport implements Transport {
  readonly #credentials: Credentials;
  readonly #server: URL;
  readonly #agent: HttpAgent;
  readonly #leaseAgent: HttpAgent;

  constructor(credentials: Credentials, server: URL) {
    this.#credentials = credentials;
    this.#server = server;
    this.#agent = this.#newAgent({ keepAlive: true, maxSockets: MAX_SOCKETS, scheduling: "lifo" });
    this.#leaseAgent = this.#newAgent({ keepAlive: true, maxSockets: LEASE_SOCKETS, scheduling: "lifo" });
  }

  async send(call: Call): Promise<Answer> {
    const res = await this.#openAgain(call, call.path.startsWith(LEASES) ? this.#leaseAgent : this.#agent);
    // Bounds the body too: an answer may begin and never end.
    const timer = setTimeout(() => res.destroy(tooLate(call)), call.timeoutMs);
    return read(res).finally(() => clearTimeout(timer));
  }

  stream(call: Call, onLine: (line: string) => void, onEnd: (error: KubeError | null) => void): () => void {
    let ended = false;
    let abort = () => {};
    const end = (error: KubeError | null) => {
      if (ended) return;
      ended = true;
      abort();
      onEnd(error);
    };
    void this.#openAgain(call, this.#newAgent({ maxSockets: 1 }))
      .then(async (res) => {
        abort = () => res.destroy();
        if (ended) return abort();
        if (isSuccess(res)) eachLine(res, onLine, end);
        else end(errorOf(await read(res)));
      })
      .catch((error) => end(unreachable(error as Error)));
    return () => end(null);
  }

  close(): void {
    this.#agent.destroy();
    this.#leaseAgent.destroy();
  }

  #newAgent(options: AgentOptions): HttpAgent {
    return this.#server.protocol === "http:" ? new HttpAgent(options) : new Agent(options);
  }

  /** Tries a second time if the credential has run out. */
  async #openAgain(call: Call, agent: HttpAgent): Promise<IncomingMessage> {
    const res = await this.#open(call, agent);
    if (res.statusCode !== 401 || !this.#credentials.refused()) return res;
    res.resume();
    return this.#open(call, agent);
  }

  /** Resolves with the answer's head. */
  async #open(call: Call, agent: HttpAgent): Promise<IncomingMessage> {
    const { method, path, query, body, contentType, timeoutMs } = call;
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const options = await within(this.#credentials.options(), call);
    const search = query ? `?${new URLSearchParams(query)}` : "";
    const headers: Record<string, string | number> = { ...(options.headers as Record<string, string>), accept: "application/json", "user-agent": "berth" };
    if (payload && contentType) Object.assign(headers, { "content-type": contentType, "content-length": payload.length });
    const { hostname, port, pathname } = this.#server;
    // Only URLs put an IPv6 address in brackets.
    const host = hostname.replace(/^\[|\]$/g, "");
    const target = { host, port: port || undefined, path: pathname.replace(/\/$/, "") + path + search, method };
    return new Promise((resolve, reject) => {
      const send = this.#server.protocol === "http:" ? requestHttp : request;
      const req = send({ agent, ...options, ...target, headers }, (res) => {
        clearTimeout(timer);
        resolve(res);
      });
      const timer = setTimeout(() => {
        // A destroyed request that waits for a connection emits its error only when it gets one.
        reject(tooLate(call));
        req.destroy();
      }, timeoutMs);
      req.on("error", (error) => {
        clearTimeout(timer);
        reject(unreachable(error));
      });
      req.end(payload);
    });
  }
}

/** A credential may have to be fetched first, by a command that may hang. */
function within<T>(work: Promise<T>, call: Call): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new KubeError(0, "NoCredentials", `there is no credential for ${call.method} ${call.path} yet`)), call.timeoutMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

async function read(res: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of res) chunks.push(chunk as Buffer);
  } catch (error) {
    throw unreachable(error as Error);
  }
  return { status: res.statusCode ?? 0, body: Buffer.concat(chunks), retryAfter: res.headers["retry-after"], date: res.headers.date };
}

function eachLine(res: IncomingMessage, onLine: (line: string) => void, end: (error: KubeError | null) => void): void {
  let rest = "";
  res.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE) return end(new KubeError(0, "TooLong", "a line of the stream is too long"));
    for (const line of lines) if (line) onLine(line);
  });
  res.on("end", () => end(null));
  res.on("close", () => end(null));
  res.on("error", (error) => end(unreachable(error)));
}
