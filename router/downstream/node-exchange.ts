import type { IncomingMessage, ServerResponse } from "node:http";
import { peerAddress } from "../../runtime-images/protocol/listen-host.ts";
import { RouterError } from "../errors.ts";
import { Body, collect, KEPT_BYTES } from "./body.ts";
import { sendError } from "./error-response.ts";
import type { Exchange, InFlight, RequestBody } from "./exchange.ts";
import { fieldOf } from "./http1-exchange.ts";
import { targetOf } from "./request-check.ts";

/** How long the rest of an unwanted body is read and discarded. */
const LINGER_MS = 500;

export interface NodeExchangeOptions {
  /** The client sends the body once it is told to (`Expect: 100-continue`). */
  awaitsInvitation: boolean;
  /** Called for an answer that ends the connection. */
  endsConnection(): void;
}

/** A request that node:http has read, and its response. */
export class NodeExchange implements Exchange {
  readonly url: string;
  readonly host: string;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #options: NodeExchangeOptions;
  /** False: node:http hands connections that open a WebSocket back. */
  readonly upgrade = false;
  /** The head has not been sent yet, neither alone nor with the first piece of the body. */
  #headWaits = false;

  constructor(req: IncomingMessage, res: ServerResponse, options: NodeExchangeOptions) {
    const { host, url } = targetOf(req);
    this.#options = options;
    this.host = host;
    this.url = url;
    this.#req = req;
    this.#res = res;
  }

  get method(): string {
    return this.#req.method ?? "";
  }

  get rawHeaders(): readonly string[] {
    return this.#req.rawHeaders;
  }

  get remoteAddress(): string {
    return peerAddress(this.#req.socket.remoteAddress);
  }

  header(name: string): string | undefined {
    return fieldOf(this.#req.rawHeaders, name);
  }

  takeBody(maxBytes: number, begin: (body: RequestBody) => InFlight, refuse = (error: RouterError) => sendError(this, error)): void {
    const length = this.header("content-length");
    const bytes = length === undefined ? null : Number(length);
    if (bytes !== null && bytes > maxBytes) return refuse(sizeError(maxBytes));
    if (this.#options.awaitsInvitation) inviteBody(this.#res);
    if (!this.#hasBody || length === "0") return void begin(null);
    if (bytes !== null && bytes <= KEPT_BYTES) {
      const tooSlow = () => refuse(new RouterError("BODY_TOO_SLOW", "the body was not complete in time"));
      return collect(this.#req, bytes, (body) => void begin(body), tooSlow);
    }
    let running: InFlight | null = null;
    const body = new Body(this.#req, bytes, maxBytes, () => running?.end(sizeError(maxBytes)));
    running = begin(body);
  }

  onClose(listener: () => void): void {
    this.#res.on("close", listener);
  }

  inform(status: number, headers: readonly string[]): void {
    // A response without a socket waits for its turn: node:http would write these hints after its head.
    if (status !== 103 || this.#req.httpVersionMinor === 0 || !this.#res.socket) return;
    const hints: Record<string, string[]> = {};
    for (let i = 0; i < headers.length; i += 2) {
      const name = (headers[i] as string).toLowerCase();
      hints[name] = [...(hints[name] ?? []), headers[i + 1] as string];
    }
    if (hints.link) this.#res.writeEarlyHints(hints);
  }

  join(): void {
    this.#res.destroy();
  }

  writeHead(status: number, text: string, headers: readonly string[], resume: () => void): void {
    this.#res.writeHead(status, text, headers as string[]);
    this.#res.on("drain", resume);
    this.#headWaits = true;
    // A head may arrive long before its body (server-sent events).
    setImmediate(() => {
      if (this.#headWaits) this.#res.flushHeaders();
    });
  }

  write(chunk: Buffer): boolean {
    this.#headWaits = false;
    return this.#res.write(chunk);
  }

  end(): void {
    this.#headWaits = false;
    this.#res.end();
  }

  answer(status: number, headers: readonly string[], body: string): void {
    const length = ["content-length", String(Buffer.byteLength(body))];
    if (this.#req.complete || !this.#hasBody) {
      this.#res.writeHead(status, [...headers, ...length]);
      this.#res.end(body);
    } else this.#answerUnread(status, [...headers, ...length, "connection", "close"], body);
  }

  destroy(): void {
    this.#res.destroy();
  }

  get #hasBody(): boolean {
    return this.header("content-length") !== undefined || this.header("transfer-encoding") !== undefined;
  }

  /**
   * Answers while the client still sends. The connection cannot be reused, but closing it at once would reset it, and
   * the client could lose the response (RFC 9112, 9.6): the response is sent now, and the connection ends a little later.
   */
  #answerUnread(status: number, headers: string[], body: string): void {
    this.#options.endsConnection();
    this.#res.writeHead(status, headers);
    this.#res.write(body);
    const timer = setTimeout(() => this.#res.end(), LINGER_MS);
    this.#req.on("end", () => {
      clearTimeout(timer);
      this.#res.end();
    });
    this.#req.resume();
  }
}

/** Writes 100 when it is the response's turn: node:http would write an earlier one after the response's head. */
function inviteBody(res: ServerResponse): void {
  if (res.socket) res.writeContinue();
  else res.once("socket", () => res.headersSent || res.writeContinue());
}

function sizeError(maxBytes: number): RouterError {
  return new RouterError("BODY_TOO_LARGE", `the body is larger than ${maxBytes} bytes`);
}
