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
  /** A path with its query; where it was sent in another form that is none, as it was sent. */
  readonly url: string;
  /** Host and port that the request is for; may be empty. */
  readonly host: string;
  /** Names and values by turns, as they came. */
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string;
  /** The client opens a WebSocket. */
  readonly upgrade: boolean;
  /** Value of the header of this name, given in lower case; undefined: there is none. */
  header(name: string): string | undefined;
  /** Calls `begin` once the body's kind is known: a small one is whole by then. Answers by itself if it is too large or too slow. */
  takeBody(maxBytes: number, begin: (body: RequestBody) => InFlight): void;
  /** Calls back when the client has gone or has its whole response. */
  onClose(listener: () => void): void;

  /** Informs the client before the response (103). */
  inform(status: number, headers: readonly string[]): void;
  /** Begins a response; `resume` is called when the client takes more after `write` has answered false. */
  writeHead(status: number, text: string, headers: readonly string[], resume: () => void): void;
  /** False: no more until `resume`. */
  write(chunk: Buffer): boolean;
  end(): void;
  /** The response as a whole, to a request that may not be read to its end. */
  answer(status: number, headers: readonly string[], body: string): void;
  /**
   * Answers an upgrade with 101 and joins the client's connection to this one; `first` is what came with the answer.
   * `onClose` is called when either has ended. Only where `upgrade` is true.
   */
  join(text: string, headers: readonly string[], upstream: Socket, first: Buffer): void;
  /** Breaks the connection off: the client sees that the response's end is missing. */
  destroy(): void;
}
