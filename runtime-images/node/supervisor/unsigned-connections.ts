import type { Server } from "node:http";
import type { Socket } from "node:net";

/** Connections that have signed nothing yet and are kept; the oldest makes room for a further one. */
const MAX_STRANGERS = 32;
/** What all of them together may have sent without having been believed. */
const MAX_UNSIGNED_BYTES = 8 * 1024 * 1024;
/** Time to sign something. */
const SIGN_MS = 10_000;

/** Of both ends of a connection: the TLS socket of a request and the TCP socket below it have the same. */
type Peer = Pick<Socket, "remoteAddress" | "remotePort">;

interface Stranger {
  socket: Socket;
  bytes: number;
  timer: NodeJS.Timeout;
}

/**
 * Connections over the network from which no signed request has come yet. Anybody in the cluster may open them, and
 * the leader has to get through all the same: they are few, short, and what they send is bounded.
 */
export class UnsignedConnections {
  readonly #open = new Map<string, Stranger>();
  #bytes = 0;

  watch(server: Server): void {
    server.on("connection", (socket: Socket) => {
      const key = keyOf(socket);
      const timer = setTimeout(() => socket.destroy(), SIGN_MS).unref();
      this.#open.set(key, { socket, bytes: 0, timer });
      socket.once("close", () => this.#forget(key));
      const [oldest] = this.#open.keys();
      if (this.#open.size > MAX_STRANGERS) this.#end(oldest as string);
    });
  }

  /** A signed request has come: this connection is bounded no more. */
  believe(peer: Peer): void {
    this.#forget(keyOf(peer));
  }

  /** So many bytes have come that are not signed yet. Where they are too many altogether, whoever has sent most of them goes. */
  received(peer: Peer, bytes: number): void {
    const stranger = this.#open.get(keyOf(peer));
    if (!stranger) return;
    stranger.bytes += bytes;
    this.#bytes += bytes;
    if (this.#bytes <= MAX_UNSIGNED_BYTES) return;
    const most = [...this.#open.entries()].reduce((a, b) => (b[1].bytes > a[1].bytes ? b : a));
    this.#end(most[0]);
  }

  /** At once: its close is told only later. */
  #end(key: string): void {
    this.#open.get(key)?.socket.destroy();
    this.#forget(key);
  }

  #forget(key: string): void {
    const stranger = this.#open.get(key);
    if (!stranger) return;
    clearTimeout(stranger.timer);
    this.#bytes -= stranger.bytes;
    this.#open.delete(key);
  }
}

function keyOf({ remoteAddress, remotePort }: Peer): string {
  return `${remoteAddress} ${remotePort}`;
}
