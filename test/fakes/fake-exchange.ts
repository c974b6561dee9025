import type { Socket } from "node:net";
import type { Exchange, InFlight, RequestBody } from "../../router/downstream/exchange.ts";

/** A request of a client without a connection; `received` is what the client has got, in order. */
export class FakeExchange implements Exchange {
  readonly method = "GET";
  readonly host = "x";
  readonly rawHeaders: readonly string[];
  readonly remoteAddress = "127.0.0.1";
  readonly upgrade = false;
  readonly url: string;
  readonly received: string[] = [];
  /** Its client accepts no more for now. */
  full = false;
  readonly #body: RequestBody;
  readonly #listeners: (() => void)[] = [];

  constructor(url: string, body: RequestBody = null, rawHeaders: readonly string[] = []) {
    this.url = url;
    this.#body = body;
    this.rawHeaders = rawHeaders;
  }

  header(name: string): string | undefined {
    const at = this.rawHeaders.indexOf(name);
    return at < 0 ? undefined : this.rawHeaders[at + 1];
  }

  takeBody(_maxBytes: number, begin: (body: RequestBody) => InFlight): void {
    begin(this.#body);
  }

  onClose(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** The client has gone. */
  leave(): void {
    this.#close();
  }

  inform(status: number): void {
    this.received.push(String(status));
  }

  writeHead(status: number): void {
    this.received.push(String(status));
  }

  write(chunk: Buffer): boolean {
    this.received.push(String(chunk));
    return !this.full;
  }

  end(): void {
    this.received.push("end");
    this.#close();
  }

  answer(status: number, _headers: readonly string[], body: string): void {
    const code: string | undefined = body.startsWith("{") ? JSON.parse(body).error.code : undefined;
    this.received.push(code ?? String(status));
    this.#close();
  }

  join(_text: string, _headers: readonly string[], _upstream: Socket, first: Buffer): void {
    this.received.push("joined", String(first));
  }

  destroy(): void {
    this.received.push("destroyed");
    this.#close();
  }

  #close(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }
}
