import { Redis } from "ioredis";
import type { PoolManagerLink, RouterPeer, TableFunction } from "./contract.ts";
import type { SavedTable } from "./parse.ts";
import { RedisConnector } from "./redis-connector.ts";

/** The table is written at most this often. Milliseconds. */
const SAVE_EVERY_MS = 200;
const COMMAND_MS = 500;
/** A connection on which an answer is missing for this long is made anew: its other end may be gone. Milliseconds. */
const SILENT_MS = 2000;
/** It is written again after this, changed or not: Redis may have been flushed. Milliseconds. */
const SAVE_AGAIN_MS = 2000;

/**
 * The last table in Redis, for routers that start while no pool manager answers, and the leader's own address, for those
 * that find none by its Service. Losing it loses nothing else.
 */
export class TableSnapshots {
  readonly #redis: Redis;
  readonly #key: string;
  readonly #managerKey: string;

  /** `url`: `redis[s]://[user:password@]host[:port][/db]`. Connects in the background, again and again. */
  constructor(url: string, namespace: string) {
    this.#key = `berth:${namespace}:table`;
    this.#managerKey = `berth:${namespace}:manager`;
    this.#redis = new Redis(url, {
      Connector: RedisConnector,
      commandTimeout: COMMAND_MS,
      connectTimeout: 2000,
      socketTimeout: SILENT_MS,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
    });
    // Without it nothing is lost: the next change is written when Redis is back.
    this.#redis.on("error", () => {});
  }

  /** Follows the table and keeps it written, with the `url` of the manage API that it comes from. Returns the end of it. */
  keep(link: PoolManagerLink, routers: () => RouterPeer[], url: string): () => void {
    let timer: NodeJS.Timeout | null = null;
    const save = () => {
      timer = null;
      const saved: SavedTable = { functions: functionsOf(link), routers: routers() };
      this.#redis.mset(this.#key, JSON.stringify(saved), this.#managerKey, url).catch(() => later());
    };
    const later = () => {
      timer ??= setTimeout(save, SAVE_EVERY_MS);
    };
    const unsubscribe = link.subscribe(later);
    const again = setInterval(later, SAVE_AGAIN_MS);
    return () => {
      clearInterval(again);
      if (timer) clearTimeout(timer);
      unsubscribe();
    };
  }

  /** As it was written, by whatever version or program. */
  load(): Promise<string | null> {
    return this.#redis.get(this.#key);
  }

  /** Address of the manage API of the pool manager that led last, as it was written. */
  manager(): Promise<string | null> {
    return this.#redis.get(this.#managerKey);
  }

  close(): void {
    this.#redis.disconnect();
  }
}

/** A subscription to the pool manager itself begins with the table, at once. */
function functionsOf(link: PoolManagerLink): TableFunction[] {
  let functions: TableFunction[] = [];
  link.subscribe((change) => {
    if (change.type === "snapshot") ({ functions } = change);
  })();
  return functions;
}
