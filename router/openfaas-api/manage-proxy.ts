import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { sendError } from "../downstream/error-response.ts";
import type { Exchange, RequestBody } from "../downstream/exchange.ts";
import { RouterError } from "../errors.ts";
import { passedHeaders, refusalOf } from "./managed-path.ts";

/** The largest body that the pool manager accepts. */
const MAX_BODY_BYTES = 1024 * 1024;
/** Requests at a time, streams of logs included. */
const MAX_REQUESTS = 64;
/** How long the pool manager may be silent: streams have a heartbeat every 15 s, and deployments wait for the routers a second at most. */
const SILENT_MS = 60_000;
const HOP_BY_HOP = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "trailer"]);

/** Passes requests of OpenFaaS's API on to the pool manager, which checks their keys. */
export class ManageProxy {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: MAX_REQUESTS });
  readonly #running = new Set<ClientRequest>();

  /** `url`: that of the manage API. */
  constructor(url: string) {
    this.#url = new URL(url).origin;
  }

  pass(exchange: Exchange): void {
    const refused = refusalOf({ url: exchange.url, header: (name) => exchange.header(name) });
    if (refused) return sendError(exchange, refused);
    if (this.#running.size >= MAX_REQUESTS) {
      return sendError(exchange, new RouterError("MANAGE_BUSY", `${MAX_REQUESTS} requests to the pool manager are running`, 1000));
    }
    exchange.takeBody(MAX_BODY_BYTES, (body) => this.#send(exchange, body));
  }

  /** Ends what is running: streams of logs end with the router. */
  close(): void {
    for (const running of this.#running) running.destroy();
    this.#agent.destroy();
  }

  #send(exchange: Exchange, body: RequestBody): { end(error: RouterError): void } {
    const framing = body === null ? [] : body.length === null ? ["transfer-encoding", "chunked"] : ["content-length", String(body.length)];
    const headers = [...passedHeaders(exchange.rawHeaders), ...framing];
    const sent = request(this.#url + exchange.url, { method: exchange.method, agent: this.#agent, headers, timeout: SILENT_MS });
    this.#running.add(sent);
    let answered = false;
    const fail = (error: RouterError) => {
      sent.destroy();
      if (answered) return exchange.destroy();
      answered = true;
      sendError(exchange, error);
    };
    sent.on("timeout", () => sent.destroy(new Error(`nothing was heard for ${SILENT_MS} ms`)));
    sent.on("error", ({ message }) => fail(new RouterError("MANAGER_UNREACHABLE", `the pool manager does not answer: ${message}`, 1000)));
    sent.on("close", () => this.#running.delete(sent));
    sent.on("response", (response) => {
      if (answered) return;
      answered = true;
      relay(response, exchange);
    });
    exchange.onClose(() => sent.destroy());
    if (body === null || Buffer.isBuffer(body)) sent.end(body ?? undefined);
    else body.open().pipe(sent);
    return { end: fail };
  }
}

function relay(response: IncomingMessage, exchange: Exchange): void {
  const { rawHeaders, statusCode = 502, statusMessage = "" } = response;
  const headers: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!HOP_BY_HOP.has((rawHeaders[i] as string).toLowerCase())) headers.push(rawHeaders[i] as string, rawHeaders[i + 1] as string);
  }
  exchange.writeHead(statusCode, statusMessage, headers, () => response.resume());
  response.on("data", (chunk: Buffer) => {
    if (!exchange.write(chunk)) response.pause();
  });
  response.on("end", () => exchange.end());
  response.on("error", () => exchange.destroy());
}
