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
      const saved: Saved = { functions: functionsOf(link), routers: routers() };
      this.#redis.mset(this.#key, JSON.stringify(saved), this.#managerKey, url).catch(() => later());
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

  /** Address of the manage API of the pool manager that led last. */
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

/** A pool manager's link that can be told of a second address. */
export interface ReachableLink extends PoolManagerLink {
  alsoAt(url: string): void;
}

/**
 * A link that begins with Redis' table where the pool manager does not answer; what the manager says replaces it. As
 * long as it is not heard, it is also looked for at the address that the leader has left in Redis.
 */
export class SnapshotLink implements PoolManagerLink {
  readonly #link: ReachableLink;
  readonly #snapshots: TableSnapshots;

  constructor(link: ReachableLink, snapshots: TableSnapshots) {
    this.#link = link;
    this.#snapshots = snapshots;
  }

  subscribe(listener: (change: TableChange) => void): () => void {
    let known = false;
    let heard = false;
    const unsubscribe = this.#link.subscribe((change) => {
      if (change.type === "snapshot") known = heard = true;
      else if (change.type === "lost") heard = false;
      listener(change);
    });
    const ask = setInterval(() => {
      if (heard) return;
      // Where Redis is away too, it is asked again.
      this.#snapshots.manager().then(
        (url) => url && this.#link.alsoAt(url),
        () => {},
      );
      if (known) return;
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
