import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { expiry } from "../../pool-manager/client/expiry.ts";

/** The largest body that is kept, so that a refused invocation can be sent to another instance. */
export const KEPT_BYTES = 64 * 1024;

/**
 * A request's body that is streamed to an instance. Up to `KEPT_BYTES` of it are kept: while `replayable`, `open` may be
 * called for each further attempt.
 */
export class Body {
  /** The Content-Length, in bytes; null: the body is chunked. */
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

  /** A stream of the body from its beginning. An earlier stream receives no more. */
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

/** How long a small body may take: a slower sender is holding the connection on purpose. */
const COLLECT_MS = 20_000;

/** Reads a small body of known length completely, then calls `done`; or calls `tooSlow`, and never `done`. */
export function collect(req: IncomingMessage, length: number, done: (body: Buffer) => void, tooSlow: () => void): void {
  const chunks: Buffer[] = [];
  const take = (chunk: Buffer) => void chunks.push(chunk);
  const complete = () => {
    endTimer();
    done(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length));
  };
  const endTimer = expiry(COLLECT_MS, () => {
    req.off("data", take).off("end", complete);
    tooSlow();
  });
  req
    .on("data", take)
    .on("end", complete)
    .on("close", () => endTimer());
}
