import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { expiry } from "../../pool-manager/client/expiry.ts";

/** Bodies up to this size are kept, so that a refused invocation can go to another instance. */
export const KEPT_BYTES = 64 * 1024;

/**
 * A request's body on its way to an instance. What has passed is kept up to `KEPT_BYTES`: `open` may be
 * called again for a further attempt while `replayable`.
 */
export class Body {
  /** As the client has announced it, in bytes; null: it comes in chunks. */
  readonly length: number | null;
  readonly #req: IncomingMessage;
  readonly #maxBytes: number;
  readonly #tooLarge: () => void;
  #kept: Buffer[] = [];
  #size = 0;
  #ended = false;
  #out: Readable | null = null;

  constructor(req: IncomingMessage, length: number | null, maxBytes: number, tooLarge: () => void) {
    this.length = length;
    this.#req = req;
    this.#maxBytes = maxBytes;
    this.#tooLarge = tooLarge;
    req.on("data", (chunk: Buffer) => this.#take(chunk));
    req.on("end", () => {
      this.#ended = true;
      this.#out?.push(null);
    });
    req.pause();
  }

  get replayable(): boolean {
    return this.#size <= KEPT_BYTES;
  }

  get started(): boolean {
    return this.#size > 0;
  }

  /** The body from its beginning. A former stream gets no more. */
  open(): Readable {
    const out = new Readable({ read: () => void this.#req.resume() });
    for (const chunk of this.#kept) out.push(chunk);
    if (this.#ended) out.push(null);
    this.#out = out;
    return out;
  }

  #take(chunk: Buffer): void {
    const before = this.#size;
    this.#size += chunk.length;
    if (this.#size > this.#maxBytes) {
      // The rest is read and dropped, so that the answer is not lost to a reset.
      if (before <= this.#maxBytes) this.#tooLarge();
      return;
    }
    if (this.#size <= KEPT_BYTES) this.#kept.push(chunk);
    else this.#kept = [];
    if (this.#out && !this.#out.push(chunk)) this.#req.pause();
  }
}

/** A small body is there by then, or its sender means to hold the connection. */
const COLLECT_MS = 20_000;

/** Reads a small body (its length is known) whole, then calls `done`; or `tooSlow`. */
export function collect(req: IncomingMessage, length: number, done: (body: Buffer) => void, tooSlow: () => void): void {
  const chunks: Buffer[] = [];
  const endTimer = expiry(COLLECT_MS, tooSlow);
  req.on("data", (chunk: Buffer) => chunks.push(chunk));
  req.on("close", () => endTimer());
  req.on("end", () => {
    endTimer();
    done(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length));
  });
}
