import type { Socket } from "node:net";
import type { RouterError } from "../errors.ts";
import type { Body } from "./body.ts";

/** The whole body, or its stream; null: none. */
export type RequestBody = Buffer | Body | null;

/** An invocation in flight, as far as its client's side has to know it. */
export interface InFlight {
  /** Ends the invocation; the client gets `error` if no response has begun. */
  end(error: RouterError): void;
}

/** One request of a client and its response; whether node:http reads and writes them or a connection of our own. */
export interface Exchange {
  readonly method: string;
  /** Path and query; a request target of another form is kept as it was sent. */
  readonly url: string;
  /** The host and port that the request addresses; may be empty. */
  readonly host: string;
  /** Alternating names and values, as received. */
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string;
  /** The client opens a WebSocket. */
  readonly upgrade: boolean;
  /** The value of the first header of this name, which is given in lower case; undefined: there is none. */
  header(name: string): string | undefined;
  /** Calls `begin` once the body's kind is known: a small one is whole by then. Calls `refuse` if it is too large or too slow, or else answers by itself. */
  takeBody(maxBytes: number, begin: (body: RequestBody) => InFlight, refuse?: (error: RouterError) => void): void;
  /** Calls back when the client has gone or has its whole response. */
  onClose(listener: () => void): void;

  /** Sends an informational response (103) before the response. */
  inform(status: number, headers: readonly string[]): void;
  /** Begins a response; `resume` is called when the client accepts more after `write` has returned false. */
  writeHead(status: number, text: string, headers: readonly string[], resume: () => void): void;
  /** False: write no more until `resume` is called. */
  write(chunk: Buffer): boolean;
  end(): void;
  /** Sends a whole response, even if the request has not been read to its end. */
  answer(status: number, headers: readonly string[], body: string): void;
  /**
   * Answers an upgrade with 101 and joins the client's connection to `upstream`; `first` is what followed the head of the
   * upstream's response. `onClose` is called when either has ended. Called only if `upgrade` is true.
   */
  join(text: string, headers: readonly string[], upstream: Socket, first: Buffer): void;
  /** Aborts the connection: the client sees that the end of the response is missing. */
  destroy(): void;
}
