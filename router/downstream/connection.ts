import type { Socket } from "node:net";
import { peerAddress } from "../../runtime-images/protocol/listen-host.ts";
import { KEPT_BYTES } from "./body.ts";
import type { Exchange } from "./exchange.ts";
import { Http1Exchange } from "./http1-exchange.ts";
import { hasHead, parseRequest, type WholeRequest } from "./request-head.ts";

/** How much is buffered of the requests that a client sends ahead; beyond it the connection is not read. */
const AHEAD_BYTES = 64 * 1024;

/** How long this reader waits for the rest of a head that has begun. */
const HEAD_MS = 100;
/** How long a WebSocket may be silent in both directions. */
const TUNNEL_IDLE_MS = 600_000;

export interface ConnectionOptions {
  /** Both limits are in bytes. */
  maxHead: number;
  maxBody: number;
  /** How long the connection may be idle between requests; each response states it. */
  keepAliveMs: number;
  /** If true, connections end with their next response. */
  isLeaving(): boolean;
  serve(exchange: Exchange): void;
  /** Takes over a connection with everything that has not been served yet. */
  handOver(): void;
  gone(): void;
}

/**
 * A client's connection as long as its requests are complete and plain; at the first other one node:http takes it over.
 * It exists beside node:http because most requests are plain, and a general server that reads and answers them costs more
 * than the rest of their path.
 */
export class ClientConnection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #remoteAddress: string;
  #ahead: Buffer | null = null;
  #current: Http1Exchange | null = null;
  #serving = false;
  #hasServed = false;
  #closing = false;
  #paused = false;
  #wait: NodeJS.Timeout | null = null;
  /** The rest of a head has not arrived in time. */
  #waited = false;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#remoteAddress = peerAddress(socket.remoteAddress);
    socket.setNoDelay(true);
    socket.setTimeout(options.keepAliveMs);
    socket.on("data", this.#take).on("drain", this.#drained).on("timeout", this.#timedOut);
    socket.on("end", this.#ended).on("error", this.#gone).on("close", this.#gone);
  }

  /** It is between two requests. One that has carried none yet is not: its first request may be on its way. */
  get isIdle(): boolean {
    return this.#hasServed && this.#current === null && this.#ahead === null;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #take = (bytes: Buffer): void => {
    if (this.#closing) return;
    this.#ahead = this.#ahead ? Buffer.concat([this.#ahead, bytes]) : bytes;
    this.#next();
  };

  /** Serves the buffered requests, except to a client that does not read its responses. */
  #next(): void {
    if (this.#serving) return;
    this.#serving = true;
    while (this.#current === null && this.#ahead !== null && !this.#closing && !this.#socket.writableNeedDrain) {
      const { maxHead, maxBody } = this.#options;
      const request = parseRequest(this.#ahead, maxHead, Math.min(maxBody, KEPT_BYTES));
      if (!request && this.#waitsForMore(this.#ahead)) break;
      if (!request) return this.#handOver();
      this.#ahead = request.size < this.#ahead.length ? this.#ahead.subarray(request.size) : null;
      if (this.#wait) this.#endWait();
      this.#serve(request);
    }
    this.#serving = false;
    this.#readOn();
  }

  /** Serves a request that node:http has read, then those that follow it; `rest` has been received already. */
  begin(request: WholeRequest, rest: Buffer): void {
    if (rest.length > 0) this.#ahead = rest;
    this.#serve(request);
    // Until now node:http has read from the socket.
    this.#socket.resume();
  }

  #serve(request: WholeRequest): void {
    const { isLeaving, serve, keepAliveMs } = this.#options;
    const exchange = new Http1Exchange(request, this.#socket, this.#remoteAddress, request.close || isLeaving() ? null : keepAliveMs, this);
    this.#current = exchange;
    this.#hasServed = true;
    serve(exchange);
  }

  /** Waits a moment for a head that arrives in two packets; after that node:http enforces its limits. */
  #waitsForMore(bytes: Buffer): boolean {
    const more = !this.#waited && bytes.length < this.#options.maxHead && !hasHead(bytes);
    if (more) this.#wait ??= setTimeout(() => this.#giveUp(), HEAD_MS);
    return more;
  }

  #giveUp(): void {
    this.#waited = true;
    this.#next();
  }

  #readOn(): void {
    const full = this.#ahead !== null && this.#ahead.length > AHEAD_BYTES;
    if (full === this.#paused) return;
    this.#paused = full;
    if (full) this.#socket.pause();
    else this.#socket.resume();
  }

  ended(closes: boolean): void {
    const exchange = this.#current;
    this.#current = null;
    exchange?.closed();
    if (closes) {
      this.#closing = true;
      this.#socket.destroySoon();
      return;
    }
    this.#next();
  }

  /** Relays bytes in both directions; the end of one side ends the other. */
  join(upstream: Socket): void {
    const socket = this.#socket;
    socket.off("data", this.#take).off("drain", this.#drained).off("timeout", this.#timedOut).off("end", this.#ended);
    if (this.#ahead) upstream.write(this.#ahead);
    this.#ahead = null;
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      one.setTimeout(TUNNEL_IDLE_MS, () => one.destroy());
      one.on("error", () => one.destroy()).on("close", () => other.destroySoon());
      one.pipe(other);
    }
  }

  readonly #drained = (): void => {
    if (this.#current) this.#current.drained();
    else this.#next();
  };

  readonly #timedOut = (): void => {
    if (this.#current === null) this.#socket.destroy();
  };

  /** A client that closes its half counts as disconnected, as in nginx; what has been written before is still sent. */
  readonly #ended = (): void => {
    if (!this.#closing) this.#gone();
  };

  readonly #gone = (): void => {
    this.#endWait();
    this.#socket.destroy();
    const exchange = this.#current;
    this.#current = null;
    exchange?.closed();
    this.#options.gone();
  };

  #endWait(): void {
    if (this.#wait) clearTimeout(this.#wait);
    this.#wait = null;
  }

  #handOver(): void {
    const socket = this.#socket;
    this.#endWait();
    socket.off("data", this.#take).off("drain", this.#drained).off("timeout", this.#timedOut);
    socket.off("end", this.#ended).off("error", this.#gone).off("close", this.#gone);
    socket.setTimeout(0);
    socket.pause();
    if (this.#ahead) socket.unshift(this.#ahead);
    this.#options.gone();
    this.#options.handOver();
    socket.resume();
  }
}
