import type { Socket } from "node:net";
import { Http1Connection, type ResponseHandler, type UpstreamRequest } from "./http1-connection.ts";

/** The connections to one endpoint: as many as there are concurrent invocations, kept for later ones. */
export class ConnectionPool {
  readonly #host: string;
  readonly #port: number;
  readonly #all = new Set<Http1Connection>();
  /** A stack: the connection that became idle last is reused first, since its buffers are warm. */
  readonly #idle: Http1Connection[] = [];
  /** Connections that left the pool with an upgrade, and how many bytes had been read on each at the last check. */
  readonly #joined = new Map<Socket, number>();
  #closing = false;

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  send(request: UpstreamRequest, handler: ResponseHandler): void {
    const wire = this.#reused() ?? this.#open();
    wire.send(request, handler);
  }

  /** An idle connection that its peer does not close in the meantime. */
  #reused(): Http1Connection | undefined {
    for (let wire = this.#idle.pop(); wire; wire = this.#idle.pop()) {
      if (wire.isUsable) return wire;
      wire.destroy();
    }
    return undefined;
  }

  /** Nothing is in flight. */
  get unused(): boolean {
    return this.#all.size === this.#idle.length && this.#joined.size === 0;
  }

  /** Whether any connection has had something in flight since the last check without receiving a byte. */
  check(): boolean {
    let isQuiet = false;
    for (const wire of this.#all) isQuiet = wire.check() || isQuiet;
    for (const [socket, seen] of this.#joined) {
      isQuiet ||= socket.bytesRead === seen;
      this.#joined.set(socket, socket.bytesRead);
    }
    return isQuiet;
  }

  /** Closes idle connections now, and each other one when its request has finished. */
  close(): void {
    this.#closing = true;
    for (const wire of this.#idle.splice(0)) wire.destroy();
  }

  /** Fails everything in flight with the error, and destroys all connections: the peer no longer answers. */
  lost(error: Error): void {
    for (const wire of this.#all) wire.destroy(error);
    for (const socket of this.#joined.keys()) socket.destroy();
  }

  /** Destroys all connections now. */
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
