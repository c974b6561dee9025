import type { Server } from "node:http";
import type { Socket } from "node:net";

/** The number of connections without a signed request; a further one closes the oldest. */
const MAX_UNSIGNED = 32;
/** How much all of them together may send before a signature is verified. */
const MAX_UNSIGNED_BYTES = 8 * 1024 * 1024;
/** How long a connection may stay without a signed request. */
const SIGN_MS = 10_000;

/** Identifies a connection: a request's TLS socket and the TCP socket below it have the same remote address and port. */
type Peer = Pick<Socket, "remoteAddress" | "remotePort">;

interface UnsignedConnection {
  socket: Socket;
  bytes: number;
  timer: NodeJS.Timeout;
}

/**
 * Connections over the network that have not sent a signed request yet. Anybody in the cluster can open them, so their
 * number, their duration and the bytes they send are bounded: the leader must always be able to connect.
 */
export class UnsignedConnections {
  readonly #open = new Map<string, UnsignedConnection>();
  #bytes = 0;

  watch(server: Server): void {
    server.on("connection", (socket: Socket) => {
      const key = keyOf(socket);
      const timer = setTimeout(() => socket.destroy(), SIGN_MS).unref();
      this.#open.set(key, { socket, bytes: 0, timer });
      socket.once("close", () => this.#forget(key));
      const [oldest] = this.#open.keys();
      if (this.#open.size > MAX_UNSIGNED) this.#end(oldest as string);
    });
  }

  /** Lifts the bounds of a connection that has sent a signed request. */
  believe(peer: Peer): void {
    this.#forget(keyOf(peer));
  }

  /** Counts bytes that are not signed yet. If there are too many altogether, closes the connection that has sent most of them. */
  received(peer: Peer, bytes: number): void {
    const connection = this.#open.get(keyOf(peer));
    if (!connection) return;
    connection.bytes += bytes;
    this.#bytes += bytes;
    if (this.#bytes <= MAX_UNSIGNED_BYTES) return;
    const most = [...this.#open.entries()].reduce((a, b) => (b[1].bytes > a[1].bytes ? b : a));
    this.#end(most[0]);
  }

  /** Destroys a connection and forgets it at once, since its `close` event comes later. */
  #end(key: string): void {
    this.#open.get(key)?.socket.destroy();
    this.#forget(key);
  }

  #forget(key: string): void {
    const connection = this.#open.get(key);
    if (!connection) return;
    clearTimeout(connection.timer);
    this.#bytes -= connection.bytes;
    this.#open.delete(key);
  }
}

function keyOf({ remoteAddress, remotePort }: Peer): string {
  return `${remoteAddress} ${remotePort}`;
}
