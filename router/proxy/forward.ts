import type { Socket } from "node:net";
import type { RouterPeer } from "../../pool-manager/client/contract.ts";
import { CALL_ID_HEADER, REVISION_HEADER } from "../../runtime-images/protocol/headers.ts";
import { sendError } from "../downstream/error-response.ts";
import type { Exchange, RequestBody } from "../downstream/exchange.ts";
import { RouterError } from "../errors.ts";
import type { Running, ServedRevision } from "../routing/served-revision.ts";
import { MAX_PEER_HEAD, type ResponseHandler } from "../upstream/http1-connection.ts";
import { callIdOf, hopHeaders, peerHeaders, requestHead } from "./headers.ts";

/** An invocation that is passed on to the router that owns the function's slots; it is served here if that router cannot be reached. */
export class Forward implements Running, ResponseHandler {
  #entry: ServedRevision;
  readonly #owner: RouterPeer;
  readonly #exchange: Exchange;
  readonly #body: RequestBody;
  readonly #serve: (body: RequestBody) => Running;
  readonly #callId: string;
  #abort: ((reason?: Error) => void) | null = null;
  #answering = false;
  #joined = false;
  #done = false;
  /** The invocation that serves it here. */
  #successor: Running | null = null;

  constructor(entry: ServedRevision, owner: RouterPeer, exchange: Exchange, body: RequestBody, serve: (body: RequestBody) => Running) {
    this.#entry = entry;
    this.#owner = owner;
    this.#exchange = exchange;
    this.#body = body;
    this.#serve = serve;
    this.#callId = callIdOf(exchange);
    entry.begin(this);
    exchange.onClose(this.#closed);
    this.#send();
  }

  reroute(entry: ServedRevision): void {
    this.#entry = entry;
    entry.begin(this);
  }

  end(error: RouterError): void {
    if (this.#successor) return this.#successor.end(error);
    if (this.#done) return;
    this.#finish();
    this.#abort?.(error);
    if (this.#answering) this.#exchange.destroy();
    else sendError(this.#exchange, error, this.#callId);
  }

  // ResponseHandler

  onConnect(abort: (reason?: Error) => void): void {
    this.#abort = abort;
    if (this.#done) abort();
  }

  onHeaders(status: number, raw: readonly string[], resume: () => void, statusText: string): boolean {
    if (this.#done) return true;
    if (status < 200) {
      if (status === 103) this.#exchange.inform(status, peerHeaders(raw));
      return true;
    }
    this.#answering = true;
    this.#exchange.writeHead(status, statusText, peerHeaders(raw), resume);
    return true;
  }

  onJoin(statusText: string, raw: readonly string[], socket: Socket, first: Buffer): void {
    if (this.#done) return void socket.destroy();
    this.#answering = true;
    this.#abort = () => socket.destroy();
    this.#joined = true;
    this.#exchange.join(statusText, peerHeaders(raw), socket, first);
  }

  onData(chunk: Buffer): boolean {
    return this.#answering && !this.#done ? this.#exchange.write(chunk) : true;
  }

  onComplete(): void {
    if (this.#done) return;
    this.#finish();
    this.#exchange.end();
  }

  onError(): void {
    if (this.#done) return;
    const body = this.#body;
    const isReplayable = body === null || Buffer.isBuffer(body) || body.replayable;
    if (this.#abort === null && isReplayable) {
      this.#finish();
      this.#successor = this.#serve(body);
      return;
    }
    if (!this.#answering) return this.end(new RouterError("ROUTER_LOST", "the router that had the invocation ended before it answered"));
    this.#finish();
    this.#exchange.destroy();
  }

  #send(): void {
    const [exchange, body] = [this.#exchange, this.#body];
    const { fn, introduction, upstreams, beliefs } = this.#entry;
    const headers = hopHeaders(exchange, [...introduction, REVISION_HEADER, fn.revision, CALL_ID_HEADER, this.#callId], beliefs);
    const head = requestHead(exchange, exchange.url, headers, body);
    const { wires } = upstreams.get(this.#owner);
    wires.send({ head, body, isHead: exchange.method === "HEAD", upgrade: exchange.upgrade, maxHead: MAX_PEER_HEAD }, this);
  }

  readonly #closed = (): void => {
    if (this.#done) return;
    this.#finish();
    // Joined connections end each other.
    if (!this.#joined) this.#abort?.(new Error("the client has gone"));
  };

  #finish(): void {
    this.#done = true;
    this.#entry.forwarded(this);
  }
}
