import type { ServerResponse } from "node:http";
import { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { setHead } from "./lambda-response.ts";

/** Lambda's own mark of a handler that streams its response. */
const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");

type StreamHandler = (event: unknown, stream: ResponseStream, context: unknown) => unknown;
type Metadata = Parameters<typeof setHead>[1];

/** The stream to which a streaming handler writes its response. Status and headers are sent with the first chunk. */
class ResponseStream extends Writable {
  readonly #res: ServerResponse;

  constructor(res: ServerResponse) {
    super();
    this.#res = res;
    // The client has disconnected, so further writes are pointless.
    res.once("close", () => res.writableFinished || this.destroy());
  }

  setContentType(type: string): void {
    this.#res.setHeader("content-type", type);
  }

  head(metadata: Metadata): void {
    setHead(this.#res, metadata);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (!this.#res.hasHeader("content-type") && !this.#res.headersSent) this.setContentType("application/octet-stream");
    if (this.#res.write(chunk)) done();
    else this.#res.once("drain", done);
  }

  override _final(done: () => void): void {
    this.#res.end();
    done();
  }
}

/** Defines the global `awslambda` as Lambda's runtime for Node does. */
export function defineAwslambda(): void {
  const awslambda = {
    streamifyResponse: (handler: object, options?: object) => Object.assign(handler, { [STREAMING]: "response", ...(options && { options }) }),
    HttpResponseStream: {
      from: (stream: ResponseStream, metadata: Metadata) => {
        stream.head(metadata);
        return stream;
      },
    },
  };
  Object.defineProperty(globalThis, "awslambda", { value: awslambda, writable: true, configurable: true });
}

/** Wraps a streaming handler; null: the target is not one. An invocation settles when its stream has ended or its client has disconnected, and rejects with the error that destroyed the stream. */
export function streamed(target: unknown): ((event: unknown, res: ServerResponse, context: unknown) => Promise<void>) | null {
  if ((target as { [STREAMING]?: unknown })[STREAMING] === undefined) return null;
  return async (event, res, context) => {
    const stream = new ResponseStream(res);
    const broken = finished(stream).then(
      () => null,
      (error: Error) => error,
    );
    await (target as StreamHandler)(event, stream, context);
    const error = await broken;
    // A client that disconnects destroys the stream too, which is not an error of the function.
    if (error && !res.closed) throw error;
  };
}
