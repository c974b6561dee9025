import { Pool } from "undici";
import type { Endpoint } from "../pool-manager/client/contract.ts";
import { CONNECT_MS } from "./wire/wire.ts";
import { Wires } from "./wire/wires.ts";

/** Our side closes an idle connection before this; the instance's side never does. Milliseconds. */
const IDLE_MS = 600_000;

type Address = Pick<Endpoint, "host" | "port">;

/**
 * Connections to one address. Invocations whose body is at hand take the wires; those whose body still comes, and
 * those for another router, take undici.
 */
class Upstream {
  readonly wires: Wires;
  readonly #origin: string;
  #pool: Pool | null = null;

  constructor({ host, port }: Address) {
    this.#origin = `http://${host}:${port}`;
    this.wires = new Wires(host, port);
  }

  get pool(): Pool {
    this.#pool ??= new Pool(this.#origin, {
      pipelining: 1,
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: CONNECT_MS, noDelay: true },
    });
    return this.#pool;
  }

  close(): void {
    this.wires.close();
    this.#pool?.close().catch(() => {});
  }

  async destroy(): Promise<void> {
    this.wires.destroy();
    await this.#pool?.destroy();
  }
}

/** Keep-alive connections of each endpoint: kept while it is there, closed by us first when it leaves. */
export class Upstreams {
  readonly #byAddress = new Map<string, Upstream>();
  /** The same by the very object, so that an invocation makes no key. */
  readonly #known = new WeakMap<Address, Upstream>();

  /** Of an endpoint, or of another router. */
  get(address: Address): Upstream {
    const known = this.#known.get(address);
    if (known) return known;
    const key = `${address.host}:${address.port}`;
    const upstream = this.#byAddress.get(key) ?? new Upstream(address);
    this.#byAddress.set(key, upstream);
    this.#known.set(address, upstream);
    return upstream;
  }

  /** Lets the invocations on it finish, then closes its connections. */
  close(address: Address): void {
    const key = `${address.host}:${address.port}`;
    this.#byAddress.get(key)?.close();
    this.#byAddress.delete(key);
  }

  async destroy(): Promise<void> {
    await Promise.all([...this.#byAddress.values()].map((upstream) => upstream.destroy()));
    this.#byAddress.clear();
  }
}
