import { connect, type Socket } from "node:net";
import { hostPort } from "../../pool-manager/client/address.ts";

/** Nothing answers any more at a peer's address: what was under way there has no end, and may have run. */
export class PeerLostError extends Error {
  constructor(host: string, port: number) {
    super(`nothing answers at ${hostPort(host, port)} any more`);
  }
}

/** A peer that has answered none of so many connections, opened a second apart, is lost. */
const MISSES = 3;
/** Between looks, once so many have been answered: each leaves a connection that a busy process has yet to take. */
const OFTEN = 300;
const RARELY = 4;

/** What says that no connection to the peer can be alive: nobody answers for its address, or nobody listens there. */
const GONE = new Set(["ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "EHOSTDOWN", "ENETUNREACH", "ETIMEDOUT"]);

/**
 * Whether the host of a peer still answers, by opening a connection to it: the kernel there accepts it, so that a
 * function that keeps its process busy for as long as it may is not taken for dead. Looked at while something waits
 * for the peer and hears nothing.
 */
export class PeerProbe {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | null = null;
  #misses = 0;
  #answers = 0;
  #skip = 0;

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  /**
   * True: the peer is lost. To be called once a second, when what has come has been read. `mayRefuse`: it is about to
   * stop and takes nothing new; that it says so shows that it, or its kernel, still ends its connections itself.
   */
  check(mayRefuse = false): boolean {
    if (this.#misses >= MISSES) return true;
    if (this.#misses === 0 && this.#skip > 0) {
      this.#skip -= 1;
      return false;
    }
    this.#misses += 1;
    this.#open(mayRefuse);
    return false;
  }

  /** Nothing waits in silence any more. */
  rest(): void {
    this.#socket?.destroy();
    this.#socket = null;
    this.#misses = 0;
    this.#answers = 0;
    this.#skip = 0;
  }

  #open(mayRefuse: boolean): void {
    this.#socket?.destroy();
    const socket = connect({ host: this.#host, port: this.#port });
    this.#socket = socket;
    socket.once("connect", () => this.#answered(socket));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (mayRefuse && error.code === "ECONNREFUSED") return this.#answered(socket);
      // Our own side's trouble (no descriptors, no ports) says nothing about the peer.
      if (socket === this.#socket && !GONE.has(error.code ?? "")) this.#misses = 0;
    });
  }

  #answered(socket: Socket): void {
    socket.destroy();
    if (socket !== this.#socket) return;
    this.#socket = null;
    this.#misses = 0;
    this.#answers += 1;
    this.#skip = this.#answers < OFTEN ? 0 : RARELY - 1;
  }
}
