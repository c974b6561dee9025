import { createServer, IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { RouterError } from "../errors.ts";
import { sendError } from "./error-response.ts";
import type { Exchange } from "./exchange.ts";
import { Http1Exchange } from "./http1-exchange.ts";
import { HOP_BYTES, HOP_HEADERS, MAX_HEAD_BYTES, MAX_HEADERS } from "./limits.ts";
import { NodeExchange } from "./node-exchange.ts";
import { refusalOf, targetOf } from "./request-check.ts";
import type { WholeRequest } from "./request-head.ts";

/** How long a request head may take. */
const HEAD_MS = 20_000;
/** How often node:http checks for heads that take longer. */
const CHECK_INTERVAL_MS = 2000;
/** How long a client may be silent before the kernel sends keep-alive probes: without them an event stream to a lost client would hold its slot. */
const KEEPALIVE_MS = 15_000;
/** How long a connection is read after its last response: closing one with unread bytes resets it, and the client may lose the response. */
const LINGER_MS = 500;

export interface NodeServerOptions {
  /** How long a connection may be idle between requests. */
  keepAliveMs: number;
  /** If true, connections end with their next response. */
  isLeaving(): boolean;
  serve(exchange: Exchange): void;
  /** Takes over a connection whose next request opens a WebSocket; `rest` is what followed its head. */
  handBack(request: WholeRequest, socket: Socket, rest: Buffer): void;
}

interface Latest {
  req: IncomingMessage;
  res: ServerResponse;
}

/** node:http for the requests that are not plain. Its refusals have the format of the router's other errors. */
export class NodeServer {
  readonly http: Server;
  readonly #options: NodeServerOptions;
  /** The latest accepted request of each connection. */
  readonly #latest = new WeakMap<Socket, Latest>();
  /** Connections that end with an error of the router: what follows on them is ignored. */
  readonly #ending = new WeakSet<Socket>();
  /** Connections whose last request has been read: their response ends them, and requests behind it are not run (RFC 9112, 9.6). */
  readonly #finishing = new WeakSet<Socket>();

  constructor(options: NodeServerOptions) {
    this.#options = options;
    this.http = createServer({
      IncomingMessage: Incoming,
      keepAliveTimeout: options.keepAliveMs,
      headersTimeout: HEAD_MS,
      requestTimeout: 0,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      // `refusalOf` checks both limits too, since node:http silently drops headers beyond its own.
      maxHeaderSize: MAX_HEAD_BYTES + HOP_BYTES,
      requireHostHeader: false,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_MS,
    });
    this.http.maxHeadersCount = MAX_HEADERS + HOP_HEADERS + 1;
    this.http.on("request", (req, res) => this.#request(req, res, refusalOf(req)));
    this.http.on("checkContinue", (req, res) => this.#request(req, res, refusalOf(req), true));
    this.http.on("checkExpectation", (req, res) => {
      this.#request(
        req,
        res,
        new RouterError("EXPECTATION_UNKNOWN", `the expectation ${JSON.stringify(String(req.headers.expect).slice(0, 80))} is not known`),
      );
    });
    this.http.on("upgrade", (req, socket, rest) => this.#upgrade(req, socket as Socket, rest));
    this.http.on("connect", (_req, socket) => {
      this.#refuse(socket as Socket, new RouterError("METHOD_NOT_ALLOWED", "this is not a proxy: CONNECT is not served"));
    });
    this.http.on("clientError", (error, socket) => this.#unreadable(error, socket as Socket));
  }

  #request(req: IncomingMessage, res: ServerResponse, refused: RouterError | null, awaitsInvitation = false): void {
    const { socket } = req;
    // An unread body would block the connection.
    if (this.#ending.has(socket) || this.#finishing.has(socket)) return void req.resume();
    if (refused) {
      req.resume();
      return this.#endInTurn(socket, refused);
    }
    this.#latest.set(socket, { req, res });
    // A client whose connection ends may connect to another router for its next request.
    const endsConnection = () => void this.#finishing.add(socket);
    if (this.#options.isLeaving()) {
      res.shouldKeepAlive = false;
      endsConnection();
    }
    this.#options.serve(new NodeExchange(req, res, { awaitsInvitation, endsConnection }));
  }

  #upgrade(req: IncomingMessage, socket: Socket, rest: Buffer): void {
    if (this.#finishing.has(socket)) return;
    const { host, url } = targetOf(req);
    const close = /\bclose\b/i.test(req.headers.connection ?? "");
    const request = { method: "GET", url, host, rawHeaders: req.rawHeaders, body: null, close, upgrade: true, size: 0 };
    const refused = refusalOf(req);
    if (refused) return this.#endInTurn(socket, refused);
    this.#inTurn(socket, () => {
      // This listener enforces node:http's own timeouts, and would end a tunnel.
      socket.removeAllListeners("timeout");
      this.#options.handBack(request, socket, rest);
    });
  }

  #unreadable(error: NodeJS.ErrnoException & { reason?: string }, socket: Socket): void {
    if (this.#ending.has(socket)) return;
    if (!socket.writable) return void socket.destroy();
    const latest = this.#latest.get(socket);
    // The error belongs to the request whose body is still arriving, or else to one after all those that were read.
    if (latest && !latest.req.complete) this.#endUnread(latest.res, socket, reasonOf(error));
    else this.#endInTurn(socket, reasonOf(error));
  }

  /** Ends a connection on which the rest of a body cannot be read: the error is the request's response if it has none yet. */
  #endUnread(res: ServerResponse, socket: Socket, error: RouterError): void {
    this.#ending.add(socket);
    const end = () => (res.headersSent ? void socket.destroySoon() : this.#refuse(socket, error));
    if (res.socket || res.closed) end();
    // Responses to earlier requests come first; one that is ready by then is written before the next turn of the event loop.
    else res.once("socket", () => setImmediate(end));
  }

  #endInTurn(socket: Socket, error: RouterError): void {
    this.#ending.add(socket);
    this.#inTurn(socket, () => this.#refuse(socket, error));
  }

  /** Calls `next` once all earlier requests have been answered. */
  #inTurn(socket: Socket, next: () => void): void {
    const res = this.#latest.get(socket)?.res;
    if (!res || res.closed) return next();
    res.on("close", () => socket.destroyed || next());
  }

  /** Writes an error as the next response, and ends the connection. */
  #refuse(socket: Socket, error: RouterError): void {
    const request = { method: "", url: "", host: "", rawHeaders: [], body: null, close: true, upgrade: false, size: 0 };
    const ended = () => {
      socket.end();
      const timer = setTimeout(() => socket.destroy(), LINGER_MS);
      socket.on("close", () => clearTimeout(timer)).on("error", () => {});
      socket.resume();
    };
    sendError(new Http1Exchange(request, socket, "", null, { ended, join: () => {} }), error);
  }
}

/** Reports an upgrade to node:http only for a WebSocket: a request for any other upgrade is an ordinary request (RFC 9110, 7.8). */
class Incoming extends IncomingMessage {
  // `declare`, since a field would be initialized after node:http's constructor has set `upgrade`.
  declare asked: boolean | null;

  set upgrade(asked: boolean | null) {
    this.asked = asked;
  }

  get upgrade(): boolean {
    return this.asked === true && (this.method === "CONNECT" || this.#opensWebSocket);
  }

  get #opensWebSocket(): boolean {
    const { upgrade = "", "content-length": length = "0", "transfer-encoding": coding } = this.headers;
    const isPlain = this.method === "GET" && this.httpVersion === "1.1" && coding === undefined && Number(length) === 0;
    return isPlain && upgrade.split(",").some((protocol) => protocol.trim().toLowerCase() === "websocket");
  }
}

function reasonOf({ code, reason, message }: NodeJS.ErrnoException & { reason?: string }): RouterError {
  if (code === "HPE_HEADER_OVERFLOW") return new RouterError("HEAD_TOO_LARGE", `the request line and the headers are more than ${MAX_HEAD_BYTES} bytes`);
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return new RouterError("HEAD_TOO_SLOW", `the head was not complete within ${HEAD_MS} ms`);
  if (code === "HPE_PAUSED_H2_UPGRADE") return new RouterError("REQUEST_INVALID", "HTTP/2 is not spoken here");
  return new RouterError("REQUEST_INVALID", `the request cannot be read: ${reason ?? message}`);
}
