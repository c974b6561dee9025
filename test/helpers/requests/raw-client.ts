import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface RawResponse {
  status: number;
  head: string;
  body: string;
}

/** A client that writes bytes as they are, and reads responses that have a length. */
export class RawClient {
  readonly #socket: Socket;
  #text = "";
  #ended = false;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes) => {
      this.#text += bytes.toString("latin1");
      this.#wake();
    });
    socket.on("error", () => {});
    for (const end of ["end", "close"]) {
      socket.on(end, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  static async open(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const client = new RawClient(connect(Number(port), hostname));
    await once(client.#socket, "connect");
    return client;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** All that has come and was not read as a response. */
  get unread(): string {
    return this.#text;
  }

  async send(bytes: string): Promise<void> {
    if (this.#socket.destroyed) return;
    // A socket that fails instead of draining ends, and its reader awaits the end.
    if (!this.#socket.write(bytes, "latin1")) await Promise.race([once(this.#socket, "drain"), once(this.#socket, "close")]).catch(() => {});
  }

  /** The next response, without interim ones; null: the connection has ended without one. */
  async response(method: string, ms = 5000): Promise<RawResponse | null> {
    const deadline = performance.now() + ms;
    for (;;) {
      const read = this.#read(method);
      if (read) return read;
      if (this.#ended) return null;
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`no response within ${ms} ms, but ${JSON.stringify(this.#text.slice(0, 200))}`);
      await this.#more(left);
    }
  }

  /** Resolves when the connection has ended, with whether it has within `ms`. */
  async end(ms = 2000): Promise<boolean> {
    for (const deadline = performance.now() + ms; !this.#ended && performance.now() < deadline; ) await this.#more(deadline - performance.now());
    return this.#ended;
  }

  close(): void {
    this.#socket.destroy();
  }

  #more(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #read(method: string): RawResponse | null {
    const end = this.#text.indexOf("\r\n\r\n");
    if (end < 0) return null;
    const head = this.#text.slice(0, end);
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
    if (!status) throw new Error(`not a response: ${JSON.stringify(head.slice(0, 200))}`);
    const interim = status < 200 && status !== 101;
    const length = interim || method === "HEAD" ? 0 : Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    if (this.#text.length < end + 4 + length) return null;
    const body = this.#text.slice(end + 4, end + 4 + length);
    this.#text = this.#text.slice(end + 4 + length);
    return interim ? this.#read(method) : { status, head, body };
  }
}
