import type { Socket } from "node:net";
import type { Endpoint } from "../../pool-manager/client/contract.ts";
import { ERROR_HEADER, PARKED_HEADER, REFUSED_HEADER, refusalOf } from "../../runtime-images/protocol/headers.ts";
import { sendError } from "../downstream/error-response.ts";
import type { Exchange, RequestBody } from "../downstream/exchange.ts";
import { errorCodeOf, isForStrangers, RouterError } from "../errors.ts";
import type { Waiter } from "../limiter/queue.ts";
import type { Reservation } from "../limiter/slot.ts";
import type { ServedRevision } from "../routing/served-revision.ts";
import type { ResponseHandler } from "../upstream/http1-connection.ts";
import { PeerLostError } from "../upstream/peer-probe.ts";
import { ResponseInvalidError } from "../upstream/response-head.ts";
import { Attempt } from "./attempt.ts";
import { invalidError, learnWhyBroken, lostError, overrunError } from "./attempt-errors.ts";
import type { Overrun } from "./attempt-timeout.ts";
import { callIdOf, clientHeaders, requestHead, upstreamHeaders } from "./headers.ts";
import { InvocationTimes } from "./invocation-times.ts";
import { type Failure, mayRetry } from "./retry.ts";
import type { InvocationTarget } from "./target.ts";

type Phase = "queued" | "sent" | "answering" | "joined" | "done";

/**
 * One invocation, from its arrival to the end of its response. It waits for a slot, is the handler of its
 * connection while it runs, and returns its slot exactly once however it ends.
 */
export class Invocation implements Waiter, ResponseHandler {
  readonly arrivedAt: number;
  readonly callId: string;
  #entry: ServedRevision;
  readonly #exchange: Exchange;
  readonly #route: Pick<InvocationTarget, "path" | "prefix">;
  readonly #body: RequestBody;
  #phase: Phase = "queued";
  /** The present one, or the last. */
  #attempt: Attempt | null = null;
  readonly #times: InvocationTimes;
  #status = 0;
  #endWait: () => void = () => {};

  constructor(entry: ServedRevision, exchange: Exchange, route: Pick<InvocationTarget, "path" | "prefix">, body: RequestBody, arrivedAt: number) {
    this.#entry = entry;
    this.#exchange = exchange;
    this.#route = route;
    this.#body = body;
    this.arrivedAt = arrivedAt;
    this.#times = new InvocationTimes(arrivedAt);
    this.callId = callIdOf(exchange);
    exchange.onClose(() => this.#closed());
    entry.begin(this);
  }

  // The queue's side.

  granted(reservation: Reservation): void {
    this.#times.granted(reservation);
    this.#send(reservation);
  }

  rejected(error: RouterError): void {
    this.#answer(error);
  }

  reroute(entry: ServedRevision): void {
    const before = this.#entry;
    this.#entry = entry;
    entry.begin(this);
    if (this.#phase !== "queued") return;
    before.limiter.cancel(this);
    entry.limiter.acquire(this);
  }

  /** The function was deleted and its grace has passed, or the router stops. */
  end(error: RouterError): void {
    if (this.#phase === "queued") this.#entry.limiter.cancel(this);
    this.#answer(error);
    this.#attempt?.abort(error);
  }

  // The connection's side: raw headers, one call per event.

  onConnect(abort: (reason?: Error) => void): void {
    this.#attempt?.sent(abort);
    if (this.#phase === "done") abort();
  }

  onHeaders(status: number, raw: readonly string[], resume: () => void, statusText: string): boolean {
    const { headers, berth } = clientHeaders(raw);
    if (status < 200) {
      if (status === 103 && this.#phase === "sent") this.#exchange.inform(status, headers);
      if (status === 102) this.#attempt?.runs();
      return true;
    }
    const refused = berth?.get(REFUSED_HEADER);
    if (refused) {
      this.#attempt?.answeredInstead({ kind: "refused", why: refusalOf(refused) });
      return true;
    }
    if (this.#phase === "done") return true;
    const error = errorCodeOf(berth?.get(ERROR_HEADER));
    if (error && !this.#entry.exposesErrors && !isForStrangers(error)) {
      this.#attempt?.answeredInstead({ kind: "veiled", code: error });
      return true;
    }
    this.#phase = "answering";
    const parkedMs = Number(berth?.get(PARKED_HEADER) ?? 0);
    if (error) this.#entry.failed(error);
    else this.#attempt?.answered();
    this.#times.answered(parkedMs);
    this.#times.describe(headers, this.callId, parkedMs);
    if (error) headers.push(ERROR_HEADER, error);
    this.#status = status;
    this.#exchange.writeHead(status, statusText, headers, resume);
    return true;
  }

  /** A WebSocket: its slot is held until it ends. */
  onJoin(statusText: string, raw: readonly string[], socket: Socket, first: Buffer): void {
    if (this.#phase === "done") return void socket.destroy();
    this.#phase = "joined";
    this.#attempt?.joined(() => socket.destroy());
    const { headers } = clientHeaders(raw);
    this.#times.answered(0);
    this.#times.describe(headers, this.callId, 0);
    this.#exchange.join(statusText, headers, socket, first);
  }

  onData(chunk: Buffer): boolean {
    return this.#phase === "answering" ? this.#exchange.write(chunk) : true;
  }

  onComplete(): void {
    const instead = this.#attempt?.instead;
    if (instead?.kind === "refused") return this.#failedAttempt(instead);
    if (instead) return this.#answerClosed(new RouterError(instead.code, ""));
    this.#finish(this.#status);
    this.#exchange.end();
  }

  onError(error: Error): void {
    const attempt = this.#attempt;
    if (!attempt || this.#phase === "done") return attempt?.release();
    if (error instanceof ResponseInvalidError && this.#phase === "sent") return this.#answerClosed(invalidError(this.#entry.fn.name, error));
    const lost = error instanceof PeerLostError && attempt.isOnWire ? error : null;
    if (lost) this.#entry.unreachable(attempt.endpoint);
    if (this.#phase === "answering") {
      // The response has begun: its end is missing, and the client must see that.
      this.#finish(502);
      this.#exchange.destroy();
      return;
    }
    if (lost) this.#answerClosed(lostError(lost));
    else this.#failedAttempt({ kind: attempt.isOnWire ? "broken" : "unsent" });
  }

  #send(reservation: Reservation): void {
    const { endpoint } = reservation;
    this.#phase = "sent";
    const { fn } = this.#entry;
    this.#attempt = new Attempt(fn, reservation, (what) => this.#timedOut(endpoint, what));
    const [exchange, body] = [this.#exchange, this.#body];
    const { path, prefix } = this.#route;
    const headers = upstreamHeaders(exchange, { functionUid: fn.uid, endpoint, callId: this.callId, prefix }, this.#entry.beliefs);
    const head = requestHead(exchange, path, headers, body);
    const { wires } = this.#entry.upstreams.get(endpoint);
    wires.send({ head, body, isHead: exchange.method === "HEAD", upgrade: exchange.upgrade }, this);
  }

  #failedAttempt(failure: Failure): void {
    const attempt = this.#attempt;
    if (!attempt) return;
    const { endpoint } = attempt;
    attempt.endTimeout();
    attempt.closed();
    if (failure.kind === "broken") return this.#broken(attempt);
    if (failure.kind === "refused") this.#entry.turnedAway(this, endpoint.instanceUid, failure.why);
    else this.#entry.unreachable(endpoint);
    const streamed = this.#body !== null && !Buffer.isBuffer(this.#body) ? this.#body : null;
    const sent = { replayable: streamed?.replayable ?? true, bodyStarted: streamed?.started ?? false };
    attempt.release();
    if (!mayRetry(failure, sent))
      return this.#answer(new RouterError("INSTANCE_UNAVAILABLE", "the instance turned it away after a part of its body was sent", 100));
    this.#phase = "queued";
    this.#entry.retried();
    this.#entry.limiter.requeue(this);
  }

  /** Bytes were sent and no response came: it is not sent again, but the client is told why. */
  #broken(attempt: Attempt): void {
    attempt.release();
    this.#endWait = learnWhyBroken(this.#entry, attempt.endpoint, (error) => this.#answer(error));
  }

  #timedOut({ instanceUid: uid, bootId }: Endpoint, what: Overrun): void {
    this.#entry.suspect({ uid, bootId, reason: "timeout" });
    const error = overrunError(what, this.#entry.fn);
    this.#answer(error);
    this.#attempt?.abort(error);
  }

  /** The connection has told the end of the attempt already. */
  #answerClosed(error: RouterError): void {
    this.#attempt?.closed();
    this.#answer(error);
  }

  #answer(error: RouterError): void {
    if (this.#phase === "done") return;
    const began = this.#phase === "answering" || this.#phase === "joined";
    this.#entry.failed(error.code);
    // The wire still tells the end of the attempt; that of joined connections nobody tells.
    this.#finish(error.status, this.#isOpen && this.#phase !== "joined");
    if (began) this.#exchange.destroy();
    else sendError(this.#exchange, this.#entry.exposesErrors ? error : error.forStrangers(), this.callId);
  }

  /** The client has gone, or has its whole response. */
  #closed(): void {
    if (this.#phase === "done") return;
    if (this.#phase === "queued") this.#entry.limiter.cancel(this);
    this.#endWait();
    // The ends of joined connections follow each other by themselves.
    if (this.#phase === "joined") return this.#finish(101);
    this.#finish(499, this.#isOpen);
    this.#attempt?.abort(new Error("the client has gone"));
  }

  /** `held`: the attempt is still on the wire; its slot comes back with the end that the wire reports. */
  #finish(status: number, held = false): void {
    this.#phase = "done";
    this.#attempt?.endTimeout();
    if (!held) this.#attempt?.release();
    this.#entry.finish(this, {
      callId: this.callId,
      revision: this.#times.revision,
      method: this.#exchange.method,
      status,
      start: this.#times.start,
      overheadMs: this.#times.overheadMs,
      totalMs: this.#times.totalMs,
    });
  }

  get #isOpen(): boolean {
    return this.#attempt?.isOpen ?? false;
  }
}
