import type { Socket } from "node:net";
import type { Readable } from "node:stream";

/** A body that comes piece by piece. */
export interface BodySource {
  /** Bytes; null: not known before its end. */
  readonly length: number | null;
  /** The body from its beginning. */
  open(): Readable;
}

const LAST_CHUNK = "0\r\n\r\n";

/**
 * Writes a streamed body to a connection as fast as that takes it. Its framing is what the head has announced: a body of
 * another length ends the connection, so that nothing of it is taken for a request.
 */
export class BodyWriter {
  readonly #socket: Socket;
  readonly #source: Readable;
  /** Bytes that are still to come; null: chunks. */
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

  /** Nothing more of it is written. */
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
    this.#socket.destroy(new Error("the body has not the length that was announced"));
  }
}
