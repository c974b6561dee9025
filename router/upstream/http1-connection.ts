import { connect, type Socket } from "node:net";
import { expiry } from "../../pool-manager/client/expiry.ts";
import { type BodySource, BodyWriter } from "./body-writer.ts";
import { ChunkedBody } from "./chunked-body.ts";
import { parseHead, type ResponseHead, ResponseInvalidError } from "./response-head.ts";

/** How long connecting may take: one packet may be lost, and is retransmitted after a second. */
export const CONNECT_MS = 1200;
/** How long a peer may be silent before the kernel sends keep-alive probes, and ends the connection if they are not answered. */
export const KEEPALIVE_MS = 1000;
/** The longest head of an instance's response, and of one that another router passes on, in bytes. */
const MAX_RESPONSE_HEAD = 64 * 1024;
export const MAX_PEER_HEAD = MAX_RESPONSE_HEAD + 4096;
/** A connection is not reused this shortly before its peer closes it: the request and the end would cross, and the request may have run. */
const CLOSING_MS = 1000;
const HEAD_END = Buffer.from("\r\n\r\n");
/** The largest body that is written together with its head, in bytes. */
const JOINED = 16 * 1024;

/** Receives the outcome of a request. */
export interface ResponseHandler {
  /** The request is about to be written; from here on it may run. */
  onConnect(abort: (reason?: Error) => void): void;
  /** Also called for informational responses (1xx). */
  onHeaders(status: number, headers: readonly string[], resume: () => void, statusText: string): void;
  /** A requested upgrade was granted: the handler owns the connection from now on; `first` is what followed the response's head. */
  onJoin(statusText: string, headers: readonly string[], socket: Socket, first: Buffer): void;
  /** False: deliver no more until `resume` is called. */
  onData(chunk: Buffer): boolean;
  onComplete(): void;
  onError(error: Error): void;
}

/** A request: `head` is its request line and headers with the closing empty line, and announces the framing of the body. */
export interface UpstreamRequest {
  head: string;
  body: Buffer | BodySource | null;
  /** The method is HEAD: the response has no body, whatever its headers say. */
  isHead: boolean;
  /** The request asks for an upgrade. */
  upgrade: boolean;
  /** The longest head that a response may have, in bytes; `MAX_RESPONSE_HEAD` by default. */
  maxHead?: number;
}

/**
 * One connection to an instance, for one request at a time whose framing is known. A general client would cost an
 * invocation more than the rest of its path, and would have its own rules for heads and framing.
 */
export class Http1Connection {
  readonly #socket: Socket;
  readonly #idle: (wire: Http1Connection) => void;
  readonly #gone: (wire: Http1Connection, joined?: Socket) => void;
  #connected = false;
  /** The response is complete, and the connection can be reused. */
  #free = false;
  #handler: ResponseHandler | null = null;
  #request: UpstreamRequest | null = null;
  #writer: BodyWriter | null = null;
  #head: ResponseHead | null = null;
  #chunks: ChunkedBody | null = null;
  #left = 0;
  #partial: Buffer | null = null;
  /** Until when it can be reused, on the monotonic clock: its peer has announced when it closes idle connections. */
  #usableUntil = Number.POSITIVE_INFINITY;
  /** How many bytes had been read at the last check; -1: nothing was in flight then. */
  #seen = -1;

  /** `idle` is called when the connection can take another request, `gone` when it never can again: it has ended, or its socket was `joined` to a client's. */
  constructor(host: string, port: number, idle: (wire: Http1Connection) => void, gone: (wire: Http1Connection, joined?: Socket) => void) {
    this.#idle = idle;
    this.#gone = gone;
    const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS });
    this.#socket = socket;
    const endTimer = expiry(CONNECT_MS, () => socket.destroy(new Error(`no connection within ${CONNECT_MS} ms`)));
    socket.once("connect", () => {
      endTimer();
      this.#connected = true;
      if (this.#request) this.#write(this.#request);
    });
    let reason: Error | null = null;
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    socket.on("error", (error) => {
      reason = error;
    });
    socket.on("close", () => {
      endTimer();
      this.#writer?.stop();
      gone(this);
      if (this.#head?.framing.kind === "until-end" && reason === null) this.#complete();
      else this.#fail(reason ?? new Error("the instance closed the connection"));
    });
  }

  /** False: its peer is about to close it, or has done so. */
  get isUsable(): boolean {
    return this.#usableUntil === Number.POSITIVE_INFINITY || performance.now() < this.#usableUntil;
  }

  send(request: UpstreamRequest, handler: ResponseHandler): void {
    this.#handler = handler;
    this.#request = request;
    if (this.#connected) this.#write(request);
  }

  /** Whether a request has been in flight since the last check without receiving a byte. */
  check(): boolean {
    const seen = this.#handler && this.#connected ? this.#socket.bytesRead : -1;
    const isQuiet = seen >= 0 && seen === this.#seen;
    this.#seen = seen;
    return isQuiet;
  }

  /** Ends the connection now; a request in flight fails. */
  destroy(reason?: Error): void {
    this.#socket.destroy(reason);
  }

  #write({ head, body }: UpstreamRequest): void {
    this.#handler?.onConnect((reason) => this.#socket.destroy(reason));
    if (this.#socket.destroyed) return;
    if (body === null) this.#socket.write(head, "latin1");
    else if (!Buffer.isBuffer(body)) {
      this.#socket.write(head, "latin1");
      this.#writer = new BodyWriter(this.#socket, body);
    } else if (body.length <= JOINED) this.#socket.write(head + body.toString("latin1"), "latin1");
    else {
      this.#socket.write(head, "latin1");
      this.#socket.write(body);
    }
  }

  #read(bytes: Buffer): void {
    try {
      for (let rest: Buffer | null = bytes; rest !== null && rest.length > 0; ) rest = this.#head ? this.#readBody(rest) : this.#readHead(rest);
      // Only after all bytes are read: those beyond the response would be read as the start of the next one.
      if (this.#free) this.#idle(this);
      this.#free = false;
    } catch (error) {
      this.#socket.destroy(error as Error);
    }
  }

  #readHead(bytes: Buffer): Buffer | null {
    const request = this.#request;
    if (!this.#handler || !request) throw new Error("the instance sent something without a request");
    const all: Buffer = this.#partial ? Buffer.concat([this.#partial, bytes]) : bytes;
    const end = all.indexOf(HEAD_END);
    const { isHead, maxHead = MAX_RESPONSE_HEAD } = request;
    if ((end < 0 ? all.length : end) > maxHead) throw new ResponseInvalidError(`a head longer than ${maxHead} bytes`);
    if (end < 0) {
      this.#partial = all;
      return null;
    }
    this.#partial = null;
    const head = parseHead(all.toString("latin1", 0, end), isHead);
    const rest = all.subarray(end + HEAD_END.length);
    if (head.status === 101) return this.#switch(head, rest);
    if (head.status < 200) {
      this.#handler.onHeaders(head.status, head.headers, this.#resume, head.statusText);
      return rest;
    }
    this.#head = head;
    this.#left = head.framing.kind === "length" ? head.framing.bytes : 0;
    this.#chunks = head.framing.kind === "chunked" ? new ChunkedBody() : null;
    this.#handler.onHeaders(head.status, head.headers, this.#resume, head.statusText);
    if (head.framing.kind === "none") this.#complete();
    return rest;
  }

  #switch({ statusText, headers }: ResponseHead, first: Buffer): null {
    if (!this.#request?.upgrade) throw new ResponseInvalidError("an upgrade that was not requested");
    const handler = this.#handler as ResponseHandler;
    this.#handler = null;
    this.#socket.removeAllListeners();
    this.#gone(this, this.#socket);
    handler.onJoin(statusText, headers, this.#socket, first);
    return null;
  }

  #readBody(bytes: Buffer): Buffer | null {
    const { kind } = (this.#head as ResponseHead).framing;
    if (kind === "until-end") {
      this.#deliver(bytes);
      return null;
    }
    if (this.#chunks) {
      const used = this.#chunks.read(bytes, (piece) => this.#deliver(piece));
      if (this.#chunks.done) this.#complete();
      return bytes.subarray(used);
    }
    const piece = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes;
    this.#left -= piece.length;
    this.#deliver(piece);
    if (this.#left === 0) this.#complete();
    return bytes.subarray(piece.length);
  }

  #deliver(piece: Buffer): void {
    if (this.#handler?.onData(piece) === false) this.#socket.pause();
  }

  readonly #resume = (): void => {
    this.#socket.resume();
  };

  #complete(): void {
    const handler = this.#handler;
    // A connection whose request body was not sent completely cannot carry another request.
    const keepAlive = (this.#head?.keepAlive ?? false) && (this.#writer?.done ?? true);
    const idleMs = this.#head?.idleMs ?? null;
    this.#usableUntil = idleMs === null ? Number.POSITIVE_INFINITY : performance.now() + idleMs - CLOSING_MS;
    this.#handler = null;
    this.#request = null;
    this.#writer?.stop();
    this.#writer = null;
    this.#head = null;
    this.#chunks = null;
    this.#socket.resume();
    handler?.onComplete();
    this.#free = keepAlive;
    if (!keepAlive) this.#socket.destroy();
  }

  #fail(error: Error): void {
    const handler = this.#handler;
    this.#handler = null;
    handler?.onError(error);
  }
}
