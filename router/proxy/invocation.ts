import type { Socket } from "node:net";
import type { LoadFailure, StartKind } from "../../pool-manager/client/contract.ts";
import { expiry } from "../../pool-manager/client/expiry.ts";
import { CALL_ID_HEADER, ERROR_HEADER, PARKED_HEADER, REFUSED_HEADER, type Refusal, refusalOf } from "../../runtime-images/protocol/headers.ts";
import { sendError } from "../downstream/error-response.ts";
import type { Exchange, RequestBody } from "../downstream/exchange.ts";
import { errorCodeOf, FAILURE_CODES, isForStrangers, RouterError, type RouterErrorCode } from "../errors.ts";
import type { Waiter } from "../limiter/queue.ts";
import type { Reservation } from "../limiter/slot.ts";
import type { ServedRevision } from "../routing/served-revision.ts";
import type { ResponseHandler } from "../upstream/http1-connection.ts";
import { PeerLostError } from "../upstream/peer-probe.ts";
import { ResponseInvalidError } from "../upstream/response-head.ts";
import { AttemptTimeout, type Overrun } from "./attempt-timeout.ts";
import { callIdOf, clientHeaders, requestHead, serverTiming, upstreamHeaders } from "./headers.ts";
import { type Failure, mayRetry } from "./retry.ts";
import type { InvocationTarget } from "./target.ts";

/** How long an invocation whose connection broke waits to learn why. */
const REASON_MS = 250;

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
  #reservation: Reservation | null = null;
  #abort: ((reason?: Error) => void) | null = null;
  #onWire = false;
  #refused: Refusal | null = null;
  /** The instance answers with an error whose words the client does not get. */
  #veiled: RouterErrorCode | null = null;
  #patience: AttemptTimeout | null = null;
  #grantedAt = 0;
  #start: StartKind = "warm";
  #status = 0;
  #revision = "";
  #claimMs = 0;
  #overheadMs = 0;
  #endWait: () => void = () => {};

  constructor(entry: ServedRevision, exchange: Exchange, route: Pick<InvocationTarget, "path" | "prefix">, body: RequestBody, arrivedAt: number) {
    this.#entry = entry;
    this.#exchange = exchange;
    this.#route = route;
    this.#body = body;
    this.arrivedAt = arrivedAt;
    this.callId = callIdOf(exchange);
    exchange.onClose(() => this.#closed());
    entry.begin(this);
  }

  // The queue's side.

  granted(reservation: Reservation): void {
    const { endpoint, slot } = reservation;
    this.#revision = endpoint.revision;
    this.#reservation = reservation;
    this.#grantedAt = performance.now();
    // Whoever waited since before the endpoint was there has experienced its start.
    const started = this.arrivedAt < slot.since;
    this.#start = started ? endpoint.start : "warm";
    this.#claimMs = started ? endpoint.claimMs : 0;
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
    this.#abort?.(error);
  }

  // The connection's side: raw headers, one call per event.

  onConnect(abort: (reason?: Error) => void): void {
    this.#abort = abort;
    this.#onWire = true;
    if (this.#phase === "done") abort();
  }

  onHeaders(status: number, raw: readonly string[], resume: () => void, statusText: string): boolean {
    const { headers, berth } = clientHeaders(raw);
    if (status < 200) {
      if (status === 103 && this.#phase === "sent") this.#exchange.inform(status, headers);
      if (status === 102) this.#patience?.runs();
      return true;
    }
    const refused = berth?.get(REFUSED_HEADER);
    if (refused) {
      this.#refused = refusalOf(refused);
      return true;
    }
    if (this.#phase === "done") return true;
    const error = errorCodeOf(berth?.get(ERROR_HEADER));
    if (error && !this.#entry.exposesErrors && !isForStrangers(error)) {
      this.#veiled = error;
      return true;
    }
    this.#phase = "answering";
    const parkedMs = Number(berth?.get(PARKED_HEADER) ?? 0);
    if (error) this.#entry.failed(error);
    else this.#reservation?.answered();
    this.#overheadMs = this.#grantedAt - this.arrivedAt + parkedMs;
    this.#describe(headers, parkedMs);
    if (error) headers.push(ERROR_HEADER, error);
    this.#status = status;
    this.#exchange.writeHead(status, statusText, headers, resume);
    return true;
  }

  /** A WebSocket: its slot is held until it ends. */
  onJoin(statusText: string, raw: readonly string[], socket: Socket, first: Buffer): void {
    if (this.#phase === "done") return void socket.destroy();
    this.#phase = "joined";
    this.#clearTimer();
    this.#abort = () => socket.destroy();
    const { headers } = clientHeaders(raw);
    this.#overheadMs = this.#grantedAt - this.arrivedAt;
    this.#describe(headers, 0);
    this.#exchange.join(statusText, headers, socket, first);
  }

  onData(chunk: Buffer): boolean {
    return this.#phase === "answering" ? this.#exchange.write(chunk) : true;
  }

  onComplete(): void {
    if (this.#refused) return this.#failedAttempt({ kind: "refused", why: this.#refused });
    if (this.#veiled) {
      this.#abort = null;
      return this.#answer(new RouterError(this.#veiled, ""));
    }
    this.#finish(this.#status);
    this.#exchange.end();
  }

  onError(error: Error): void {
    if (this.#phase === "done") return this.#release();
    if (error instanceof ResponseInvalidError && this.#phase === "sent") return this.#invalid(error);
    const lost = error instanceof PeerLostError && this.#onWire ? error : null;
    if (lost) this.#unreachable();
    if (this.#phase === "answering") {
      // The response has begun: its end is missing, and the client must see that.
      this.#finish(502);
      this.#exchange.destroy();
      return;
    }
    if (lost) this.#lost(lost);
    else this.#failedAttempt({ kind: this.#onWire ? "broken" : "unsent" });
  }

  #send(reservation: Reservation): void {
    const { endpoint } = reservation;
    this.#phase = "sent";
    this.#onWire = false;
    this.#refused = null;
    const { fn } = this.#entry;
    this.#patience = new AttemptTimeout(fn, reservation, (what) => this.#timedOut(what));
    const [exchange, body] = [this.#exchange, this.#body];
    const { path, prefix } = this.#route;
    const headers = upstreamHeaders(exchange, { functionUid: fn.uid, endpoint, callId: this.callId, prefix }, this.#entry.beliefs);
    const head = requestHead(exchange, path, headers, body);
    const { wires } = this.#entry.upstreams.get(endpoint);
    wires.send({ head, body, isHead: exchange.method === "HEAD", upgrade: exchange.upgrade }, this);
  }

  #failedAttempt(failure: Failure): void {
    const endpoint = this.#reservation?.endpoint;
    this.#clearTimer();
    this.#abort = null;
    if (!endpoint) return;
    if (failure.kind === "broken") return this.#learnWhy(endpoint.instanceUid, endpoint.bootId);
    if (failure.kind === "refused") this.#entry.turnedAway(this, endpoint.instanceUid, failure.why);
    else this.#unreachable();
    const streamed = this.#body !== null && !Buffer.isBuffer(this.#body) ? this.#body : null;
    const attempt = { replayable: streamed?.replayable ?? true, bodyStarted: streamed?.started ?? false };
    this.#release();
    if (!mayRetry(failure, attempt))
      return this.#answer(new RouterError("INSTANCE_UNAVAILABLE", "the instance turned it away after a part of its body was sent", 100));
    this.#phase = "queued";
    this.#entry.retried();
    this.#entry.limiter.requeue(this);
  }

  /** Nobody is sent there for a while, and the pool manager hears of it. */
  #unreachable(): void {
    const endpoint = this.#reservation?.endpoint;
    if (!endpoint) return;
    this.#entry.rest(endpoint.instanceUid, "unreachable");
    this.#entry.suspect({ uid: endpoint.instanceUid, bootId: endpoint.bootId, reason: "unreachable" });
  }

  /** Its network is cut or its host is gone: the function may have run, and nothing will be heard of it. */
  #lost(error: PeerLostError): void {
    this.#abort = null;
    this.#answer(new RouterError("INSTANCE_LOST", error.message));
  }

  /** The function's own fault, and of this response alone: the instance goes on, without the connection. */
  #invalid(error: ResponseInvalidError): void {
    this.#abort = null;
    this.#answer(new RouterError("RESPONSE_INVALID", `the response of ${this.#entry.fn.name} cannot be passed on: ${error.message}`));
  }

  /** Bytes were sent and no response came: it is not sent again, but the client is told why. */
  #learnWhy(uid: string, bootId: string): void {
    this.#release();
    const answer = (failure: LoadFailure | null) => {
      this.#endWait();
      end();
      if (!failure) this.#entry.suspect({ uid, bootId, reason: "unreachable" });
      this.#answer(whyBroken(failure));
    };
    const end = expiry(REASON_MS, () => answer(null));
    this.#endWait = this.#entry.failureOf(uid, answer);
  }

  #timedOut(what: Overrun): void {
    const endpoint = this.#reservation?.endpoint;
    if (!endpoint) return;
    this.#entry.suspect({ uid: endpoint.instanceUid, bootId: endpoint.bootId, reason: "timeout" });
    const { name, timeoutMs, loadTimeoutMs } = this.#entry.fn;
    const error =
      what === "run"
        ? new RouterError("FUNCTION_TIMEOUT", `${name} did not finish within ${timeoutMs} ms (timeout)`)
        : new RouterError("FUNCTION_LOAD_TIMEOUT", `the code of ${name} did not load within ${loadTimeoutMs} ms (loadTimeout)`);
    this.#answer(error);
    this.#abort?.(error);
  }

  #answer(error: RouterError): void {
    if (this.#phase === "done") return;
    const began = this.#phase === "answering" || this.#phase === "joined";
    this.#entry.failed(error.code);
    // The wire still tells the end of the attempt; that of joined connections nobody tells.
    this.#finish(error.status, this.#abort !== null && this.#phase !== "joined");
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
    this.#finish(499, this.#abort !== null);
    this.#abort?.(new Error("the client has gone"));
  }

  /** `held`: the attempt is still on the wire; its slot comes back with the end that the wire reports. */
  #finish(status: number, held = false): void {
    this.#phase = "done";
    this.#clearTimer();
    if (!held) this.#release();
    this.#entry.finish(this, {
      callId: this.callId,
      revision: this.#revision,
      method: this.#exchange.method,
      status,
      start: this.#start,
      overheadMs: this.#overheadMs,
      totalMs: performance.now() - this.arrivedAt,
    });
  }

  /** What the client is told about its invocation. */
  #describe(headers: string[], load: number): void {
    const queue = this.#grantedAt - this.arrivedAt - this.#claimMs;
    const run = performance.now() - this.#grantedAt - load;
    headers.push(CALL_ID_HEADER, this.callId, "x-berth-start", this.#start, "x-berth-revision", this.#revision);
    headers.push("server-timing", serverTiming({ queue, claim: this.#claimMs, load, run }));
  }

  #release(): void {
    this.#reservation?.release();
    this.#reservation = null;
  }

  #clearTimer(): void {
    this.#patience?.end();
    this.#patience = null;
  }
}

function whyBroken(failure: LoadFailure | null): RouterError {
  if (!failure) return new RouterError("FUNCTION_CRASHED", "the connection to the instance broke before it answered");
  return new RouterError(FAILURE_CODES[failure.reason], failure.message);
}
