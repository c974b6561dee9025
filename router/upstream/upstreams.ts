import type { Endpoint } from "../../pool-manager/client/contract.ts";
import { ConnectionPool } from "./connection-pool.ts";
import type { ResponseHandler, UpstreamRequest } from "./http1-connection.ts";
import { PeerLostError, PeerProbe } from "./peer-probe.ts";

/** How often requests in flight are checked. */
const CHECK_INTERVAL_MS = 1000;

export type Address = Pick<Endpoint, "host" | "port">;

/** Where a request is sent. */
export interface Destination {
  send(request: UpstreamRequest, handler: ResponseHandler): void;
}

/** How a router reaches instances and other routers. */
export interface Transport {
  to(address: Address): Destination;
  /** Lets the invocations on it finish, then closes its connections. */
  close(address: Address): void;
  /** Ends everything now. */
  destroy(): void;
}

/** Connections to one address: of an instance, or of another router. */
class Upstream implements Destination {
  readonly #connections: ConnectionPool;
  readonly #address: Address;
  readonly #probe: PeerProbe;
  #isClosing = false;

  constructor(address: Address) {
    const { host, port } = address;
    this.#address = address;
    this.#connections = new ConnectionPool(host, port);
    this.#probe = new PeerProbe(host, port);
  }

  get unused(): boolean {
    return this.#connections.unused;
  }

  send(request: UpstreamRequest, handler: ResponseHandler): void {
    this.#connections.send(request, handler);
  }

  /** Its endpoint has been removed: only requests that were sent before are still in flight. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Fails requests in flight if the peer no longer answers. */
  check(): void {
    if (!this.#connections.check()) return this.#probe.rest();
    if (this.#probe.check(this.#isClosing)) this.#lost();
  }

  close(): void {
    this.#isClosing = true;
    this.#connections.close();
  }

  destroy(): void {
    this.#probe.rest();
    this.#connections.destroy();
  }

  #lost(): void {
    const { host, port } = this.#address;
    const error = new PeerLostError(host, port);
    this.#probe.rest();
    this.#connections.lost(error);
  }
}

/** Keep-alive connections to each endpoint, kept while it exists; the router closes them first when it leaves. */
export class Upstreams implements Transport {
  readonly #byAddress = new Map<string, Upstream>();
  /** The same by object identity, so that an invocation builds no key. */
  readonly #known = new WeakMap<Address, Upstream>();
  /** Removed upstreams that still have requests in flight. */
  readonly #leaving = new Set<Upstream>();
  readonly #timer: NodeJS.Timeout;

  /** Every `checkIntervalMs`, checks the peers of requests that wait in silence. */
  constructor(checkIntervalMs = CHECK_INTERVAL_MS) {
    // `setImmediate` runs after the poll phase, so that bytes that arrived while this process was blocked are read first.
    this.#timer = setInterval(() => setImmediate(() => this.#check()), checkIntervalMs).unref();
  }

  to(address: Address): Upstream {
    const known = this.#known.get(address);
    if (known) {
      if (known.isClosing) this.#leaving.add(known);
      return known;
    }
    const key = `${address.host}:${address.port}`;
    const upstream = this.#byAddress.get(key) ?? new Upstream(address);
    this.#byAddress.set(key, upstream);
    this.#known.set(address, upstream);
    return upstream;
  }

  close(address: Address): void {
    const key = `${address.host}:${address.port}`;
    const upstream = this.#byAddress.get(key);
    if (!upstream) return;
    this.#byAddress.delete(key);
    upstream.close();
    if (!upstream.unused) this.#leaving.add(upstream);
  }

  destroy(): void {
    clearInterval(this.#timer);
    const all = [...this.#byAddress.values(), ...this.#leaving];
    this.#byAddress.clear();
    this.#leaving.clear();
    for (const upstream of all) upstream.destroy();
  }

  #check(): void {
    for (const upstream of this.#byAddress.values()) upstream.check();
    for (const upstream of this.#leaving) {
      upstream.check();
      if (upstream.unused) this.#leaving.delete(upstream);
    }
  }
}
