import type { Socket } from "node:net";
import { Http1Connection, type ResponseHandler, type UpstreamRequest } from "./http1-connection.ts";

/** The connections to one endpoint: as many as there are invocations at once, kept for those to come. */
export class ConnectionPool {
  readonly #host: string;
  readonly #port: number;
  readonly #all = new Set<Http1Connection>();
  /** The latest one is taken first: its buffers are warm, and the others show how many are too many. */
  readonly #idle: Http1Connection[] = [];
  /** Connections that were given away with an upgrade, and what was read on each at the last look. Bytes. */
  readonly #joined = new Map<Socket, number>();
  #closing = false;

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  send(request: UpstreamRequest, handler: ResponseHandler): void {
    const wire = this.#idle.pop() ?? this.#open();
    wire.send(request, handler);
  }

  /** Nothing is under way. */
  get unused(): boolean {
    return this.#all.size === this.#idle.length && this.#joined.size === 0;
  }

  /** Whether something has been under way since the last look, and was not heard of. */
  check(): boolean {
    let isQuiet = false;
    for (const wire of this.#all) isQuiet = wire.check() || isQuiet;
    for (const [socket, seen] of this.#joined) {
      isQuiet ||= socket.bytesRead === seen;
      this.#joined.set(socket, socket.bytesRead);
    }
    return isQuiet;
  }

  /** What is under way finishes; each connection ends when it has. */
  close(): void {
    this.#closing = true;
    for (const wire of this.#idle.splice(0)) wire.destroy();
  }

  /** Nothing answers there any more: what is under way fails with the error, and what is kept ends. */
  lost(error: Error): void {
    for (const wire of this.#all) wire.destroy(error);
    for (const socket of this.#joined.keys()) socket.destroy();
  }

  /** Everything ends now. */
  destroy(): void {
    this.close();
    for (const wire of this.#all) wire.destroy();
  }

  #open(): Http1Connection {
    const wire = new Http1Connection(
      this.#host,
      this.#port,
      (free) => {
        if (this.#closing) free.destroy();
        else this.#idle.push(free);
      },
      (gone, joined) => {
        if (joined) this.#join(joined);
        this.#all.delete(gone);
        const at = this.#idle.indexOf(gone);
        if (at >= 0) this.#idle.splice(at, 1);
      },
    );
    this.#all.add(wire);
    return wire;
  }

  #join(socket: Socket): void {
    this.#joined.set(socket, -1);
    socket.once("close", () => this.#joined.delete(socket));
  }
}
