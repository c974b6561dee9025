import type { Socket } from "node:net";
import type { Readable } from "node:stream";

/** A streamed body. */
export interface BodySource {
  /** In bytes; null: unknown before its end. */
  readonly length: number | null;
  /** A stream of the body from its beginning. */
  open(): Readable;
}

const LAST_CHUNK = "0\r\n\r\n";

/**
 * Writes a streamed body to a connection, with backpressure, in the framing that the head has announced. A body of
 * another length destroys the connection, so that no part of it is read as a request.
 */
export class BodyWriter {
  readonly #socket: Socket;
  readonly #source: Readable;
  /** Remaining bytes; null: the body is chunked. */
  #left: number | null;
  #done = false;

  constructor(socket: Socket, body: BodySource) {
    this.#socket = socket;
    this.#source = body.open();
    this.#left = body.length;
    socket.on("drain", this.#resume);
    this.#source.on("data", (piece: Buffer) => this.#write(piece)).on("end", () => this.#end());
  }

  /** The whole body was written. */
  get done(): boolean {
    return this.#done;
  }

  /** Stops writing the body. */
  stop(): void {
    this.#socket.off("drain", this.#resume);
    this.#source.destroy();
  }

  readonly #resume = (): void => {
    this.#source.resume();
  };

  #write(piece: Buffer): void {
    if (piece.length === 0) return;
    const more = this.#left === null ? this.#writeChunk(piece) : this.#writePart(piece, this.#left);
    if (!more) this.#source.pause();
  }

  #writePart(piece: Buffer, left: number): boolean {
    this.#left = left - piece.length;
    if (this.#left < 0) this.#fail();
    return this.#left >= 0 && this.#socket.write(piece);
  }

  #writeChunk(piece: Buffer): boolean {
    const socket = this.#socket;
    socket.cork();
    socket.write(`${piece.length.toString(16)}\r\n`, "latin1");
    socket.write(piece);
    const more = socket.write("\r\n", "latin1");
    socket.uncork();
    return more;
  }

  #end(): void {
    this.#socket.off("drain", this.#resume);
    if (this.#left !== null && this.#left !== 0) return this.#fail();
    if (this.#left === null) this.#socket.write(LAST_CHUNK, "latin1");
    this.#done = true;
  }

  #fail(): void {
    this.#socket.destroy(new Error("the body does not have the announced length"));
  }
}
