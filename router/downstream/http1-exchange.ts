import type { Socket } from "node:net";
import type { Exchange, InFlight, RequestBody } from "./exchange.ts";
import type { WholeRequest } from "./request-head.ts";

/** The largest first chunk that waits for the end of its response, to be written as one string with the head. */
const FIRST_CHUNK_BYTES = 16 * 1024;
const LAST_CHUNK = "0\r\n\r\n";

/** The connection that the exchange came on. */
interface Owner {
  /** The response has been written. */
  ended(closes: boolean): void;
  /** The connection is joined to `upstream` from now on. */
  join(upstream: Socket): void;
}

interface Head {
  status: number;
  text: string;
  headers: readonly string[];
}

type Framing = "none" | "length" | "chunked";

/**
 * A request that was read completely, and its response. Head and body of a small response are written at once: the write
 * system call dominates the cost of an invocation, and `writev` with two buffers costs about twice a single write.
 */
export class Http1Exchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly host: string;
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string;
  readonly upgrade: boolean;
  readonly #body: Buffer | null;
  readonly #socket: Socket;
  readonly #keepAliveMs: number | null;
  readonly #owner: Owner;
  #listener: (() => void) | null = null;
  #head: Head | null = null;
  #firstChunk: Buffer | null = null;
  #framing: Framing = "none";
  #resume: (() => void) | null = null;

  /** `keepAliveMs`: how long the connection may be idle after the response; null: it ends with the response. */
  constructor(request: WholeRequest, socket: Socket, remoteAddress: string, keepAliveMs: number | null, owner: Owner) {
    this.method = request.method;
    this.url = request.url;
    this.host = request.host;
    this.rawHeaders = request.rawHeaders;
    this.remoteAddress = remoteAddress;
    this.#body = request.body;
    this.#socket = socket;
    this.#keepAliveMs = keepAliveMs;
    this.upgrade = request.upgrade;
    this.#owner = owner;
  }

  header(name: string): string | undefined {
    return fieldOf(this.rawHeaders, name);
  }

  takeBody(_maxBytes: number, begin: (body: RequestBody) => InFlight): void {
    begin(this.#body);
  }

  onClose(listener: () => void): void {
    this.#listener = listener;
  }

  /** The client accepts more. */
  drained(): void {
    this.#resume?.();
  }

  /** The response has been written, or the connection has ended. */
  closed(): void {
    this.#head = null;
    this.#listener?.();
  }

  inform(status: number, headers: readonly string[]): void {
    this.#socket.write(`HTTP/1.1 ${status} \r\n${fields(headers)}\r\n`, "latin1");
  }

  join(text: string, headers: readonly string[], upstream: Socket, first: Buffer): void {
    this.#socket.write(`HTTP/1.1 101 ${text}\r\n${fields(headers)}connection: upgrade\r\nupgrade: websocket\r\n\r\n`, "latin1");
    if (first.length > 0) this.#socket.write(first);
    this.#owner.join(upstream);
  }

  writeHead(status: number, text: string, headers: readonly string[], resume: () => void): void {
    this.#resume = resume;
    this.#head = { status, text, headers };
    // A head may arrive long before its body (server-sent events). If the body has arrived too, `end` runs before this flush.
    setImmediate(this.#flush);
  }

  write(chunk: Buffer): boolean {
    if (this.#head && this.#firstChunk === null && chunk.length <= FIRST_CHUNK_BYTES) {
      this.#firstChunk = chunk;
      return true;
    }
    this.#flush();
    return this.#writeData(chunk);
  }

  end(): void {
    if (this.#head) {
      const body = this.#firstChunk?.toString("latin1") ?? "";
      this.#socket.write(this.#takeHead(body.length) + body, "latin1");
    } else if (this.#framing === "chunked") this.#socket.write(LAST_CHUNK, "latin1");
    this.#resume = null;
    this.#owner.ended(this.#keepAliveMs === null);
  }

  answer(status: number, headers: readonly string[], body: string): void {
    const bytes = Buffer.from(body);
    this.#head = { status, text: "", headers: [...headers, "content-length", String(bytes.length)] };
    if (this.method !== "HEAD") this.#firstChunk = bytes;
    this.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #flush = (): void => {
    if (!this.#head) return;
    const firstChunk = this.#firstChunk;
    this.#socket.write(this.#takeHead(null), "latin1");
    if (firstChunk) this.#writeData(firstChunk);
  };

  #writeData(chunk: Buffer): boolean {
    const socket = this.#socket;
    if (this.#framing !== "chunked") return socket.write(chunk);
    if (chunk.length === 0) return true;
    socket.cork();
    socket.write(`${chunk.length.toString(16)}\r\n`, "latin1");
    socket.write(chunk);
    const more = socket.write("\r\n", "latin1");
    socket.uncork();
    return more;
  }

  /** The head as it is written to the wire; `size` is that of the whole body, null if it is unknown. */
  #takeHead(size: number | null): string {
    const { status, text, headers } = this.#head as Head;
    this.#head = null;
    this.#firstChunk = null;
    let head = `HTTP/1.1 ${status} ${text}\r\n${fields(headers)}`;
    if (fieldOf(headers, "date") === undefined) head += `date: ${now()}\r\n`;
    head += this.#keepAliveMs === null ? "connection: close\r\n" : `connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(this.#keepAliveMs / 1000)}\r\n`;
    if (this.method === "HEAD" || status === 204 || status === 304) this.#framing = "none";
    else if (fieldOf(headers, "content-length") !== undefined) this.#framing = "length";
    else if (size !== null) head += `content-length: ${size}\r\n`;
    else {
      this.#framing = "chunked";
      head += "transfer-encoding: chunked\r\n";
    }
    return `${head}\r\n`;
  }
}

function fields(headers: readonly string[]): string {
  let text = "";
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return text;
}

/** The value of the first header of this name, which is given in lower case. */
export function fieldOf(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    const given = headers[i] as string;
    if (given.length === name.length && given.toLowerCase() === name) return headers[i + 1];
  }
  return undefined;
}

let date = "";

function now(): string {
  if (date === "") {
    date = new Date().toUTCString();
    setTimeout(() => {
      date = "";
    }, 1000).unref();
  }
  return date;
}
