import type { RouterPeer } from "../../pool-manager/client/contract.ts";
import { CALL_ID_HEADER, REVISION_HEADER } from "../../runtime-images/protocol/headers.ts";
import type { Exchange, InFlight, RequestBody } from "../downstream/exchange.ts";
import { RouterError } from "../errors.ts";
import type { Running, ServedRevision } from "../routing/served-revision.ts";
import { MAX_PEER_HEAD } from "../upstream/http1-connection.ts";
import { callIdOf, hopHeaders, peerHeaders, upstreamRequest } from "./headers.ts";
import { type ConnectionFailure, Relay, type RelaySide } from "./relay.ts";

/** An invocation that is passed on to the router that owns the function's slots; it is served here if that router cannot be reached. */
export class Forward implements Running, RelaySide {
  readonly callId: string;
  readonly #body: RequestBody;
  readonly #serve: (body: RequestBody) => InFlight;
  readonly #relay: Relay;
  #entry: ServedRevision;
  /** The relay, or the invocation that is served here. */
  #current: InFlight;

  constructor(entry: ServedRevision, owner: RouterPeer, exchange: Exchange, body: RequestBody, serve: (body: RequestBody) => InFlight) {
    this.callId = callIdOf(exchange);
    this.#body = body;
    this.#serve = serve;
    this.#relay = new Relay(exchange, this);
    this.#entry = entry;
    this.#current = this.#relay;
    entry.begin(this);
    const { fn, introduction, transport, beliefs } = entry;
    const headers = hopHeaders(exchange, [...introduction, REVISION_HEADER, fn.revision, CALL_ID_HEADER, this.callId], beliefs);
    this.#relay.send(transport.to(owner), { ...upstreamRequest(exchange, exchange.url, headers, body), maxHead: MAX_PEER_HEAD });
  }

  reroute(entry: ServedRevision): void {
    this.#entry = entry;
    entry.begin(this);
  }

  end(error: RouterError): void {
    this.#current.end(error);
  }

  // The relay's side.

  loaded(): void {}

  hints(raw: readonly string[]): readonly string[] {
    return peerHeaders(raw);
  }

  answered(_status: number, raw: readonly string[]): readonly string[] {
    return peerHeaders(raw);
  }

  joined(raw: readonly string[]): readonly string[] {
    return peerHeaders(raw);
  }

  failed(_error: Error, how: ConnectionFailure): void {
    if (how === "cut") return;
    const body = this.#body;
    const isReplayable = body === null || Buffer.isBuffer(body) || body.replayable;
    if (how === "unanswered" || !isReplayable) {
      return this.#relay.end(new RouterError("ROUTER_LOST", "the router that had the invocation ended before it answered"));
    }
    this.#relay.yield();
    this.ended();
    this.#current = this.#serve(body);
  }

  ended(): void {
    this.#entry.forwarded(this);
  }

  /** It holds no slot here. */
  closed(): void {}
}
