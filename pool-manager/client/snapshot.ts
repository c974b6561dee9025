import { Redis } from "ioredis";
import type { PoolManagerLink, RouterPeer, TableChange, TableFunction } from "./contract.ts";
import { RedisConnector } from "./redis-connector.ts";

/** The table is written at most this often. Milliseconds. */
const SAVE_EVERY_MS = 200;
const COMMAND_MS = 500;
/** A connection on which an answer is missing for this long is made anew: its other end may be gone. Milliseconds. */
const SILENT_MS = 2000;
/** A router that has no table by then asks Redis, and again until it has one. Milliseconds. */
const ASK_AFTER_MS = 500;

interface Saved {
  functions: TableFunction[];
  routers: RouterPeer[];
}

/** The last table in Redis: for routers that start while no pool manager answers. Losing it loses nothing else. */
export class TableSnapshots {
  readonly #redis: Redis;
  readonly #key: string;

  /** `url`: `redis[s]://[user:password@]host[:port][/db]`. Connects in the background, again and again. */
  constructor(url: string, namespace: string) {
    this.#key = `berth:${namespace}:table`;
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

  /** Follows the table and keeps it written. Returns the end of it. */
  keep(link: PoolManagerLink, routers: () => RouterPeer[]): () => void {
    let timer: NodeJS.Timeout | null = null;
    const save = () => {
      timer = null;
      const saved: Saved = { functions: functionsOf(link), routers: routers() };
      this.#redis.set(this.#key, JSON.stringify(saved)).catch(() => later());
    };
    const later = () => {
      timer ??= setTimeout(save, SAVE_EVERY_MS);
    };
    const unsubscribe = link.subscribe(later);
    // Redis may have been flushed.
    const again = setInterval(later, ASK_AFTER_MS * 4);
    return () => {
      clearInterval(again);
      if (timer) clearTimeout(timer);
      unsubscribe();
    };
  }

  async load(): Promise<Saved | null> {
    const text = await this.#redis.get(this.#key);
    return text === null ? null : (JSON.parse(text) as Saved);
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

/** A link that begins with Redis' table where the pool manager does not answer; what the manager says replaces it. */
export class SnapshotLink implements PoolManagerLink {
  readonly #link: PoolManagerLink;
  readonly #snapshots: TableSnapshots;

  constructor(link: PoolManagerLink, snapshots: TableSnapshots) {
    this.#link = link;
    this.#snapshots = snapshots;
  }

  subscribe(listener: (change: TableChange) => void): () => void {
    let known = false;
    const unsubscribe = this.#link.subscribe((change) => {
      if (change.type === "snapshot") known = true;
      listener(change);
    });
    const ask = setInterval(() => {
      if (known) return clearInterval(ask);
      this.#snapshots.load().then(
        (saved) => {
          if (known || !saved) return;
          known = true;
          listener({ type: "snapshot", functions: saved.functions });
          listener({ type: "routers", routers: saved.routers });
          listener({ type: "lost", reason: "the table is the one that Redis keeps" });
        },
        () => {},
      );
    }, ASK_AFTER_MS);
    return () => {
      clearInterval(ask);
      unsubscribe();
    };
  }

  leave(): void {
    this.#link.leave();
  }

  report(...args: Parameters<PoolManagerLink["report"]>): void {
    this.#link.report(...args);
  }
}
