import { connect, type Socket } from "node:net";
import { hostPort } from "../../pool-manager/client/address.ts";

/** The peer no longer answers at its address: a request in flight there will not end, and may have run. */
export class PeerLostError extends Error {
  constructor(host: string, port: number) {
    super(`nothing answers at ${hostPort(host, port)} any more`);
  }
}

/** A peer is lost once it has left this many successive connections, opened a second apart, unanswered. */
const MISSES = 3;
/** After OFTEN answered probes only every RARELY-th check probes: each probe leaves a connection that a busy process still has to accept. */
const OFTEN = 300;
const RARELY = 4;

/** Errors that indicate that no connection to the peer can be alive: its address does not answer, or nothing listens there. */
const GONE = new Set(["ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "EHOSTDOWN", "ENETUNREACH", "ETIMEDOUT"]);

/**
 * Checks whether a peer's host still answers, by opening a connection: the kernel there accepts it, so that a function
 * that legitimately blocks its process does not count as dead. Used while a request to the peer waits in silence.
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
   * True: the peer is lost. Must be called once a second, after received bytes have been read. `mayRefuse`: the peer is
   * stopping and accepts nothing new; a refusal then counts as an answer, since its kernel still ends its connections.
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

  /** Resets the probe: no request waits in silence any more. */
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
      // An error of this side (no descriptors, no ports) says nothing about the peer.
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
