import type { IncomingMessage, ServerResponse } from "node:http";
import type { Dispatcher } from "undici";
import type { LoadFailure, StartKind } from "../pool-manager/client/contract.ts";
import { CALL_ID_HEADER, ERROR_HEADER, PARKED_HEADER, REFUSED_HEADER, type Refusal } from "../runtime-images/protocol/headers.ts";
import type { Body } from "./body.ts";
import type { RouterErrorCode } from "./errors.ts";
import { RouterError } from "./errors.ts";
import type { FunctionEntry } from "./functions.ts";
import { callIdOf, clientHeaders, upstreamHeaders } from "./headers.ts";
import type { Waiter } from "./limiter.ts";
import { type Failure, mayRetry } from "./retry.ts";
import { sendError } from "./send-error.ts";
import type { Reservation } from "./slot.ts";

/** How long an invocation whose connection broke waits to learn why. Milliseconds. */
const REASON_MS = 250;

type Phase = "queued" | "sent" | "answering" | "done";

/**
 * One invocation, from its arrival to the end of its response. It waits for a slot, is its own undici
 * handler while it runs, and returns its slot exactly once however it ends.
 */
export class Invocation implements Waiter {
  readonly arrivedAt: number;
  readonly callId: string;
  readonly #entry: FunctionEntry;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #path: string;
  /** The whole body, or its stream; null: none. */
  readonly #body: Buffer | Body | null;
  #phase: Phase = "queued";
  #reservation: Reservation | null = null;
  #abort: ((reason?: Error) => void) | null = null;
  #attempts = 0;
  #onWire = false;
  #refused: Refusal | null = null;
  #timer: NodeJS.Timeout | null = null;
  #grantedAt = 0;
  #start: StartKind = "warm";
  #claimMs = 0;
  #overheadMs = 0;
  #endWait: () => void = () => {};

  constructor(entry: FunctionEntry, req: IncomingMessage, res: ServerResponse, path: string, body: Buffer | Body | null, arrivedAt: number) {
    this.#entry = entry;
    this.#req = req;
    this.#res = res;
    this.#path = path;
    this.#body = body;
    this.arrivedAt = arrivedAt;
    this.callId = callIdOf(req);
    res.on("close", () => this.#closed());
    entry.begin(this);
  }

  // The queue's side.

  granted(reservation: Reservation): void {
    const { endpoint, slot } = reservation;
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

  /** The function was deleted and its grace has passed, or the router stops. */
  end(error: RouterError): void {
    if (this.#phase === "queued") this.#entry.limiter.cancel(this);
    this.#answer(error);
    this.#abort?.(error);
  }

  // undici's side: raw headers, one call per event.

  onConnect(abort: (reason?: Error) => void): void {
    this.#abort = abort;
    this.#onWire = true;
    if (this.#phase === "done") abort();
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void, statusText: string): boolean {
    if (status < 200) return true;
    const { headers, berth } = clientHeaders(raw);
    const refused = berth?.get(REFUSED_HEADER);
    if (refused) {
      this.#refused = refused as Refusal;
      return true;
    }
    if (this.#phase === "done") return true;
    this.#phase = "answering";
    const parkedMs = Number(berth?.get(PARKED_HEADER) ?? 0);
    const error = berth?.get(ERROR_HEADER);
    if (error) this.#entry.failed(error as RouterErrorCode);
    const now = performance.now();
    this.#overheadMs = this.#grantedAt - this.arrivedAt + parkedMs;
    this.#describe(headers, parkedMs, now);
    if (error) headers.push(ERROR_HEADER, error);
    this.#res.writeHead(status, statusText, headers);
    this.#res.on("drain", resume);
    return true;
  }

  onData(chunk: Buffer): boolean {
    return this.#phase === "answering" ? this.#res.write(chunk) : true;
  }

  onComplete(): void {
    if (this.#refused) return this.#failedAttempt({ kind: "refused", why: this.#refused });
    this.#finish(this.#res.statusCode);
    this.#res.end();
  }

  onError(error: Error): void {
    if (this.#phase === "done") return this.#release();
    if (this.#phase === "answering") {
      // The response has begun: its end is missing, and the client must see that.
      this.#finish(502);
      this.#res.destroy(error);
      return;
    }
    this.#failedAttempt({ kind: this.#onWire ? "broken" : "unsent" });
  }

  #send(reservation: Reservation): void {
    const { endpoint } = reservation;
    this.#phase = "sent";
    this.#attempts += 1;
    this.#onWire = false;
    this.#refused = null;
    const { fn } = this.#entry;
    const patience = fn.timeoutMs + (endpoint.loaded ? 0 : fn.loadTimeoutMs);
    this.#timer = setTimeout(() => this.#timedOut(), patience);
    const body = this.#body === null || Buffer.isBuffer(this.#body) ? this.#body : this.#body.open();
    const options = {
      path: this.#path,
      method: this.#req.method as Dispatcher.HttpMethod,
      headers: upstreamHeaders(this.#req, fn.uid, endpoint.revision, this.callId),
      body,
    };
    try {
      this.#entry.upstreams.get(endpoint).dispatch(options, this as Dispatcher.DispatchHandler);
    } catch (error) {
      this.onError(error as Error);
    }
  }

  #failedAttempt(failure: Failure): void {
    const endpoint = this.#reservation?.endpoint;
    this.#clearTimer();
    this.#abort = null;
    if (!endpoint) return;
    if (failure.kind === "broken") return this.#learnWhy(endpoint.instanceUid, endpoint.bootId);
    const { limiter } = this.#entry;
    limiter.rest(endpoint.instanceUid, failure.kind === "refused" ? failure.why : "unreachable");
    if (failure.kind === "unsent") this.#entry.suspect({ uid: endpoint.instanceUid, bootId: endpoint.bootId, reason: "unreachable" });
    const streamed = this.#body !== null && !Buffer.isBuffer(this.#body) ? this.#body : null;
    const attempt = { replayable: streamed?.replayable ?? true, bodyStarted: streamed?.started ?? false, attempts: this.#attempts };
    this.#release();
    if (!mayRetry(failure, attempt)) return this.#answer(new RouterError("INSTANCE_UNAVAILABLE", "the instance could not take it", 100));
    this.#phase = "queued";
    this.#entry.retried();
    limiter.requeue(this);
  }

  /** Bytes were sent and no response came: it is not sent again, but the client is told why. */
  #learnWhy(uid: string, bootId: string): void {
    this.#release();
    const answer = (failure: LoadFailure | null) => {
      this.#endWait();
      clearTimeout(timer);
      if (!failure) this.#entry.suspect({ uid, bootId, reason: "unreachable" });
      this.#answer(whyBroken(failure));
    };
    const timer = setTimeout(() => answer(null), REASON_MS);
    this.#endWait = this.#entry.failureOf(uid, answer);
  }

  #timedOut(): void {
    const endpoint = this.#reservation?.endpoint;
    if (!endpoint) return;
    const { fn } = this.#entry;
    this.#entry.suspect({ uid: endpoint.instanceUid, bootId: endpoint.bootId, reason: "timeout" });
    const error = new RouterError("FUNCTION_TIMEOUT", `${fn.name} did not finish within ${fn.timeoutMs} ms (timeout)`);
    this.#answer(error);
    this.#abort?.(error);
  }

  #answer(error: RouterError): void {
    if (this.#phase === "done") return;
    const began = this.#res.headersSent;
    this.#entry.failed(error.code);
    this.#finish(error.status, this.#abort !== null);
    if (began) this.#res.destroy();
    else sendError(this.#req, this.#res, error, this.callId);
  }

  /** The client has gone, or has its whole response. */
  #closed(): void {
    if (this.#phase === "done") return;
    if (this.#phase === "queued") this.#entry.limiter.cancel(this);
    this.#endWait();
    this.#finish(499, this.#abort !== null);
    this.#abort?.(new Error("the client has gone"));
  }

  /** `held`: the attempt is still on the wire; its slot comes back with the end that undici reports. */
  #finish(status: number, held = false): void {
    this.#phase = "done";
    this.#clearTimer();
    if (!held) this.#release();
    this.#entry.finish(this, status, this.#start, this.#overheadMs, performance.now() - this.arrivedAt);
  }

  #release(): void {
    this.#reservation?.release();
    this.#reservation = null;
  }

  #clearTimer(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #describe(headers: string[], parkedMs: number, now: number): void {
    const queue = this.#grantedAt - this.arrivedAt - this.#claimMs;
    const run = now - this.#grantedAt - parkedMs;
    headers.push(CALL_ID_HEADER, this.callId, "x-berth-start", this.#start);
    headers.push("x-berth-revision", this.#reservation?.endpoint.revision ?? "");
    const times = [ms(queue), ms(this.#claimMs), ms(parkedMs), ms(run)] as const;
    headers.push("server-timing", `queue;dur=${times[0]}, claim;dur=${times[1]}, load;dur=${times[2]}, run;dur=${times[3]}`);
  }
}

function ms(value: number): string {
  return Math.max(0, value).toFixed(2);
}

function whyBroken(failure: LoadFailure | null): RouterError {
  if (!failure) return new RouterError("FUNCTION_CRASHED", "the connection to the instance broke before it answered");
  if (failure.reason === "timeout") return new RouterError("FUNCTION_LOAD_TIMEOUT", failure.message);
  return new RouterError(failure.reason === "load" ? "FUNCTION_LOAD_FAILED" : "FUNCTION_CRASHED", failure.message);
}
