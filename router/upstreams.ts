import { Pool } from "undici";
import type { Endpoint } from "../pool-manager/client/contract.ts";

/** Our side closes an idle connection before this; the instance's side never does. Milliseconds. */
const IDLE_MS = 600_000;
const CONNECT_MS = 2000;

/** A keep-alive pool of connections for each endpoint: opened with it, closed by us first when it leaves. */
export class Upstreams {
  readonly #pools = new Map<string, Pool>();

  get({ host, port }: Endpoint): Pool {
    const key = `${host}:${port}`;
    let pool = this.#pools.get(key);
    if (!pool) {
      pool = new Pool(`http://${key}`, {
        pipelining: 1,
        keepAliveTimeout: IDLE_MS,
        keepAliveMaxTimeout: IDLE_MS,
        headersTimeout: 0,
        bodyTimeout: 0,
        connect: { timeout: CONNECT_MS, noDelay: true },
      });
      this.#pools.set(key, pool);
    }
    return pool;
  }

  /** Lets the invocations on it finish, then closes its connections. */
  close({ host, port }: Endpoint): void {
    const key = `${host}:${port}`;
    const pool = this.#pools.get(key);
    if (!pool) return;
    this.#pools.delete(key);
    pool.close().catch(() => {});
  }

  async destroy(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
    this.#pools.clear();
  }
}
