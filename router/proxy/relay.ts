import type { Socket } from "node:net";
import { sendError } from "../downstream/error-response.ts";
import type { Exchange, InFlight } from "../downstream/exchange.ts";
import type { RouterError, RouterErrorCode } from "../errors.ts";
import type { ResponseHandler, UpstreamRequest } from "../upstream/http1-connection.ts";
import type { Destination } from "../upstream/upstreams.ts";

/** How a connection failed: before a byte of the request was written, before the response began, or in its midst. */
export type ConnectionFailure = "unsent" | "unanswered" | "cut";

/** The parts of a relay that depend on its target: an instance, or another router. */
export interface RelaySide {
  readonly callId: string;
  /** The instance reports that its code has loaded (102). */
  loaded(): void;
  /** Returns the headers of early hints (103) for the client. */
  hints(raw: readonly string[]): readonly string[];
  /** Returns the headers of the response for the client, or what follows the end of a response that is not for the client. */
  answered(status: number, raw: readonly string[]): readonly string[] | (() => void);
  /** Returns the headers of a granted upgrade for the client. */
  joined(raw: readonly string[]): readonly string[];
  /** No connection has the request any more. Unless the response was cut, the client waits for `send`, `wait`, `end` or `yield`. */
  failed(error: Error, how: ConnectionFailure): void;
  /** It is over for the client; called once. `isOpen`: a connection still has the request, and `closed` follows. */
  ended(status: number, isOpen: boolean, code: RouterErrorCode | null): void;
  /** The connection has told the end of a request that was over for the client. */
  closed(): void;
}

type Abort = (reason?: Error) => void;

type Phase =
  /** No connection has the request; `stop` ends what it waits for. */
  | { is: "waiting"; stop: () => void }
  /** A connection writes it once it is open. */
  | { is: "connecting" }
  /** It is being written, and may run. */
  | { is: "sent"; abort: Abort }
  /** A response that is not for the client is read to its end, so that its connection can be kept; `next` follows. */
  | { is: "withheld"; abort: Abort; next: () => void }
  | { is: "answering"; abort: Abort; status: number }
  /** The connection is the client's, for as long as either wants it. */
  | { is: "joined"; upstream: Socket }
  | { is: "done" };

const UNDECIDED: Phase = { is: "waiting", stop: () => {} };
const CONNECTING: Phase = { is: "connecting" };
const DONE: Phase = { is: "done" };

/**
 * Relays one request to an upstream and the response to its client.
 *
 * | phase      | onConnect | head                        | end of the response | failure             | `end`, or the client leaves     |
 * |------------|-----------|-----------------------------|---------------------|---------------------|---------------------------------|
 * | waiting    |           |                             |                     |                     | done, and the wait ends         |
 * | connecting | sent      |                             |                     | waiting: unsent     | done, and aborted by onConnect  |
 * | sent       |           | answering, withheld, joined |                     | waiting: unanswered | done, and aborted               |
 * | withheld   |           |                             | waiting, and `next` | waiting: unanswered | done, and aborted               |
 * | answering  |           |                             | done                | done: cut           | done, and aborted               |
 * | joined     |           |                             |                     |                     | done: one end follows the other |
 * | done       | aborted   | an upgrade is ended: closed | closed              | closed              |                                 |
 */
export class Relay implements ResponseHandler, InFlight {
  readonly #exchange: Exchange;
  readonly #side: RelaySide;
  #phase: Phase = UNDECIDED;

  constructor(exchange: Exchange, side: RelaySide) {
    this.#exchange = exchange;
    this.#side = side;
    exchange.onClose(() => this.#clientGone());
  }

  /** Waits for something that `stop` ends; ends it at once if the request is over. */
  wait(stop: () => void): void {
    if (this.#phase.is === "done") stop();
    else this.#phase = { is: "waiting", stop };
  }

  send(destination: Destination, request: UpstreamRequest): void {
    this.#phase = CONNECTING;
    destination.send(request, this);
  }

  /** Leaves the exchange to another relay. */
  yield(): void {
    this.#phase = DONE;
  }

  /** Answers with an error, or cuts a response that has begun. */
  end(error: RouterError): void {
    const phase = this.#phase;
    if (phase.is === "done") return;
    this.#finish(error.status, error.code);
    if (phase.is === "answering" || phase.is === "joined") this.#exchange.destroy();
    else sendError(this.#exchange, error, this.#side.callId);
    if (phase.is === "joined") phase.upstream.destroy();
    else if ("abort" in phase) phase.abort(error);
  }

  // The connection's side: raw headers, one call per event.

  onConnect(abort: Abort): void {
    if (this.#phase.is === "done") abort();
    else this.#phase = { is: "sent", abort };
  }

  onHeaders(status: number, raw: readonly string[], resume: () => void, statusText: string): void {
    const phase = this.#phase;
    if (phase.is !== "sent") return;
    if (status === 102) this.#side.loaded();
    if (status === 103) this.#exchange.inform(status, this.#side.hints(raw));
    if (status < 200) return;
    const { abort } = phase;
    const answer = this.#side.answered(status, raw);
    if (typeof answer === "function") {
      this.#phase = { is: "withheld", abort, next: answer };
      return;
    }
    this.#phase = { is: "answering", abort, status };
    this.#exchange.writeHead(status, statusText, answer, resume);
  }

  onJoin(statusText: string, raw: readonly string[], upstream: Socket, first: Buffer): void {
    if (this.#phase.is === "done") {
      upstream.destroy();
      this.#side.closed();
      return;
    }
    this.#phase = { is: "joined", upstream };
    this.#exchange.join(statusText, this.#side.joined(raw), upstream, first);
  }

  onData(chunk: Buffer): boolean {
    return this.#phase.is !== "answering" || this.#exchange.write(chunk);
  }

  onComplete(): void {
    const phase = this.#phase;
    if (phase.is === "done") this.#side.closed();
    else if (phase.is === "answering") {
      this.#phase = UNDECIDED;
      this.#finish(phase.status, null);
      this.#exchange.end();
    } else if (phase.is === "withheld") {
      this.#phase = UNDECIDED;
      phase.next();
    }
  }

  onError(error: Error): void {
    const { is } = this.#phase;
    if (is === "done") return this.#side.closed();
    this.#phase = UNDECIDED;
    if (is !== "answering") return this.#side.failed(error, is === "connecting" ? "unsent" : "unanswered");
    // The response has begun: its end is missing, and the client must see that.
    this.#side.failed(error, "cut");
    this.#finish(502, null);
    this.#exchange.destroy();
  }

  /** The client has gone, or has its whole response. */
  #clientGone(): void {
    const phase = this.#phase;
    if (phase.is === "done") return;
    this.#finish(phase.is === "joined" ? 101 : 499, null);
    if ("abort" in phase) phase.abort(new Error("the client has gone"));
  }

  #finish(status: number, code: RouterErrorCode | null): void {
    const phase = this.#phase;
    this.#phase = DONE;
    if (phase.is === "waiting") phase.stop();
    this.#side.ended(status, "abort" in phase, code);
  }
}
