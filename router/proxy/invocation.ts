import type { Endpoint } from "../../pool-manager/client/contract.ts";
import { ERROR_HEADER, LOG_HEADER, PARKED_HEADER, REFUSED_HEADER, refusalOf } from "../../runtime-images/protocol/headers.ts";
import { TRACEPARENT } from "../../runtime-images/protocol/telemetry/trace-context.ts";
import type { Exchange, RequestBody } from "../downstream/exchange.ts";
import { errorCodeOf, isForStrangers, RouterError, type RouterErrorCode } from "../errors.ts";
import type { Waiter } from "../limiter/queue.ts";
import type { Reservation } from "../limiter/slot.ts";
import type { Running, ServedRevision } from "../routing/served-revision.ts";
import type { InvocationTrace } from "../traces/traces.ts";
import { PeerLostError } from "../upstream/peer-probe.ts";
import { ResponseInvalidError } from "../upstream/response-head.ts";
import { Attempt, type Overrun } from "./attempt.ts";
import { invalidError, learnWhyBroken, lostError, overrunError } from "./attempt-errors.ts";
import { callIdOf, clientHeaders, upstreamHeaders, upstreamRequest } from "./headers.ts";
import { InvocationTimes } from "./invocation-times.ts";
import { type ConnectionFailure, Relay, type RelaySide } from "./relay.ts";
import { type Failure, mayRetry } from "./retry.ts";
import type { InvocationTarget } from "./target.ts";

type Route = Pick<InvocationTarget, "path" | "prefix" | "isEvent" | "wantsLog">;

/**
 * One invocation that is served here, from its arrival to the end of its response. It waits for a slot, relays the request
 * to the slot's instance, and returns the slot exactly once however it ends.
 */
export class Invocation implements Waiter, Running, RelaySide {
  readonly arrivedAt: number;
  readonly callId: string;
  readonly #exchange: Exchange;
  readonly #route: Route;
  readonly #body: RequestBody;
  readonly #times: InvocationTimes;
  readonly #trace: InvocationTrace | null;
  readonly #relay: Relay;
  #entry: ServedRevision;
  /** The present one, or the last. */
  #attempt: Attempt | null = null;
  #avoided: Map<string, number> | null = null;

  constructor(entry: ServedRevision, exchange: Exchange, route: Route, body: RequestBody, arrivedAt: number) {
    this.arrivedAt = arrivedAt;
    this.callId = callIdOf(exchange);
    this.#exchange = exchange;
    this.#route = route;
    this.#body = body;
    this.#times = new InvocationTimes(arrivedAt, entry.clock.now);
    this.#trace = entry.traces?.begin(exchange.header(TRACEPARENT)) ?? null;
    this.#relay = new Relay(exchange, this);
    this.#entry = entry;
    entry.begin(this);
    this.#relay.wait(this.#leaveQueue);
  }

  /** The function was deleted and its grace has passed, or the router stops, or the client's body is too large. */
  end(error: RouterError): void {
    this.#relay.end(this.#entry.exposesErrors ? error : error.forStrangers());
  }

  // The queue's side.

  get avoided(): ReadonlyMap<string, number> | null {
    return this.#avoided;
  }

  avoid(instanceUid: string, until: number): void {
    this.#avoided = (this.#avoided ?? new Map()).set(instanceUid, until);
  }

  granted(reservation: Reservation): void {
    const { endpoint } = reservation;
    const [entry, exchange] = [this.#entry, this.#exchange];
    this.#times.granted(reservation);
    this.#attempt = new Attempt(entry.fn, reservation, entry.clock, (what) => this.#timedOut(endpoint, what));
    const { path, prefix, isEvent } = this.#route;
    // A function's log is for those who may see its errors.
    const wantsLog = this.#route.wantsLog === true && entry.exposesErrors;
    const headers = upstreamHeaders(
      exchange,
      { functionUid: entry.fn.uid, endpoint, callId: this.callId, prefix, traceparent: this.#trace?.traceparent ?? null, isEvent, wantsLog },
      entry.beliefs,
    );
    this.#relay.send(entry.transport.to(endpoint), upstreamRequest(exchange, path, headers, this.#body));
  }

  rejected(error: RouterError): void {
    this.end(error);
  }

  reroute(entry: ServedRevision): void {
    const before = this.#entry;
    this.#entry = entry;
    entry.begin(this);
    if (before.limiter.cancel(this)) entry.limiter.acquire(this);
  }

  readonly #leaveQueue = (): void => void this.#entry.limiter.cancel(this);

  // The relay's side.

  loaded(): void {
    this.#attempt?.runs();
  }

  hints(raw: readonly string[]): readonly string[] {
    return clientHeaders(raw).headers;
  }

  answered(_status: number, raw: readonly string[]): readonly string[] | (() => void) {
    const { headers, berth } = clientHeaders(raw);
    const refused = berth?.get(REFUSED_HEADER);
    if (refused) return () => this.#failedAttempt({ kind: "refused", why: refusalOf(refused) });
    const error = errorCodeOf(berth?.get(ERROR_HEADER));
    // The client does not get its words.
    if (error && !this.#entry.exposesErrors && !isForStrangers(error)) return () => this.end(new RouterError(error, ""));
    if (error) this.#entry.failed(error);
    else this.#attempt?.answered();
    this.#begins(headers, Number(berth?.get(PARKED_HEADER) ?? 0));
    if (error) headers.push(ERROR_HEADER, error);
    const log = this.#route.wantsLog ? berth?.get(LOG_HEADER) : undefined;
    if (log !== undefined) headers.push(LOG_HEADER, log);
    return headers;
  }

  /** A WebSocket: its slot is held until it ends. */
  joined(raw: readonly string[]): readonly string[] {
    const { headers } = clientHeaders(raw);
    this.#attempt?.endLimit();
    this.#begins(headers, 0);
    return headers;
  }

  failed(error: Error, how: ConnectionFailure): void {
    const isLost = error instanceof PeerLostError && how !== "unsent";
    if (isLost && this.#attempt) this.#entry.unreachable(this.#attempt.endpoint);
    if (how === "cut") return;
    if (error instanceof ResponseInvalidError) this.end(invalidError(this.#entry.fn.name, error));
    else if (isLost) this.end(lostError(error));
    else if (how === "unanswered") this.#broken();
    else this.#failedAttempt({ kind: "unsent" });
  }

  ended(status: number, isOpen: boolean, code: RouterErrorCode | null): void {
    if (code) this.#entry.failed(code);
    this.#attempt?.endLimit();
    if (!isOpen) this.#attempt?.release();
    const { revision, start, overheadMs, totalMs } = this.#times;
    const trace = this.#trace;
    const access = { callId: this.callId, revision, method: this.#exchange.method, status, start, overheadMs, totalMs, traceId: trace?.context.traceId };
    const isSampled = trace?.context.isSampled === true;
    this.#entry.finish(this, access, this.#times, isSampled ? trace.context.traceId : null);
    // Few invocations are sampled: putting together a span takes longer than the rest of a trace.
    if (isSampled) this.#entry.traces?.ended({ trace, function: this.#entry.fn.name, error: code, ...access, ...this.#times.phases });
  }

  closed(): void {
    this.#attempt?.release();
  }

  /** The response begins; `parkedMs` of its time went to loading the code. */
  #begins(headers: string[], parkedMs: number): void {
    this.#times.answered(parkedMs);
    this.#times.describe(headers, this.callId, parkedMs);
  }

  #failedAttempt(failure: Failure): void {
    const attempt = this.#attempt;
    if (!attempt) return;
    const { endpoint } = attempt;
    attempt.endLimit();
    if (failure.kind === "refused") this.#entry.turnedAway(this, endpoint.instanceUid, failure.why);
    else this.#entry.unreachable(endpoint);
    const streamed = this.#body !== null && !Buffer.isBuffer(this.#body) ? this.#body : null;
    const sent = { replayable: streamed?.replayable ?? true, bodyStarted: streamed?.started ?? false };
    attempt.release();
    if (!mayRetry(sent)) return this.end(new RouterError("INSTANCE_UNAVAILABLE", "the instance turned it away after a part of its body was sent", 100));
    this.#relay.wait(this.#leaveQueue);
    this.#entry.retried();
    this.#entry.limiter.requeue(this);
  }

  /** Bytes were sent and no response came: it is not sent again, but the client is told why. */
  #broken(): void {
    const attempt = this.#attempt;
    if (!attempt) return;
    attempt.endLimit();
    attempt.release();
    this.#relay.wait(learnWhyBroken(this.#entry, attempt.endpoint, (error) => this.end(error)));
  }

  #timedOut({ instanceUid: uid, bootId }: Endpoint, what: Overrun): void {
    this.#entry.suspect({ uid, bootId, reason: "timeout" });
    this.end(overrunError(what, this.#entry.fn));
  }
}
