import { Redis } from "ioredis";
import type { PoolManagerLink, RouterPeer, TableFunction } from "./contract.ts";
import type { SavedTable } from "./parse.ts";
import { RedisConnector } from "./redis-connector.ts";

/** Minimum interval between two writes of the table. */
const SAVE_EVERY_MS = 200;
/** A large one of a fleet that changes all the time is at most this old, and what a write takes. */
const MAX_PAUSE_MS = 5000;
/** Writes of it take at most a twentieth of the time, and so many bytes of the network. */
const PAUSE_PER_WRITE = 20;
const BYTES_PER_MS = 2000;
const COMMAND_MS = 500;
/** Silence after which a connection with a pending command is replaced: its other end may be gone. */
const SILENT_MS = 2000;
/** Whether it is still there is asked after this: Redis may have been flushed. */
const CHECK_INTERVAL_MS = 2000;
/** It is written again after this, changed or not: what is there may be damaged. */
const SAVE_AGAIN_MS = 60_000;

/**
 * The last table in Redis, for routers that start while no pool manager answers, and the leader's address, for routers
 * that cannot reach it by its Service. Both are rebuilt if lost.
 */
export class TableSnapshots {
  readonly #redis: Redis;
  readonly #key: string;
  readonly #managerKey: string;

  /** `url`: `redis[s]://[user:password@]host[:port][/db]`. Connects, and reconnects, in the background. */
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
    // Ignored: the table is written once Redis is reachable.
    this.#redis.on("error", () => {});
  }

  /** Writes each change of the table, with the `url` of its manage API. Returns a function that stops it. */
  keep(link: PoolManagerLink, routers: () => RouterPeer[], url: string): () => void {
    let timer: NodeJS.Timeout | null = null;
    let isOver = false;
    let notBefore = 0;
    let saved: { routers: string; at: number } | null = null;
    const save = async () => {
      const began = performance.now();
      const table: SavedTable = { functions: functionsOf(link), routers: routers() };
      const text = JSON.stringify(table);
      saved = { routers: JSON.stringify(table.routers), at: began };
      await this.#redis.mset(this.#key, text, this.#managerKey, url).catch(() => {
        saved = null;
      });
      const ended = performance.now();
      notBefore = ended + pauseAfter({ bytes: text.length, tookMs: ended - began });
      timer = null;
    };
    // A change that comes during a write is in none.
    let isDue = false;
    const later = () => {
      isDue = true;
      timer ??= setTimeout(
        async () => {
          isDue = false;
          await save();
          if ((isDue || saved === null) && !isOver) later();
        },
        Math.max(SAVE_EVERY_MS, notBefore - performance.now()),
      );
    };
    const check = async () => {
      const isSame = saved !== null && saved.routers === JSON.stringify(routers()) && performance.now() - saved.at < SAVE_AGAIN_MS;
      if ((!isSame || !(await this.#isThere(url))) && !isOver) later();
    };
    const unsubscribe = link.subscribe(later);
    const looking = setInterval(() => void check(), CHECK_INTERVAL_MS);
    return () => {
      isOver = true;
      clearInterval(looking);
      if (timer) clearTimeout(timer);
      unsubscribe();
    };
  }

  /** False: nothing was written there, or by another pool manager, or nobody answers. */
  async #isThere(url: string): Promise<boolean> {
    try {
      const [count, manager] = await Promise.all([this.#redis.exists(this.#key), this.#redis.get(this.#managerKey)]);
      return count === 1 && manager === url;
    } catch {
      return false;
    }
  }

  /** As it was written, by whatever version or program. */
  load(): Promise<string | null> {
    return this.#redis.get(this.#key);
  }

  /** The stored manage API address of the last leader, unchecked. */
  manager(): Promise<string | null> {
    return this.#redis.get(this.#managerKey);
  }

  close(): void {
    this.#redis.disconnect();
  }
}

/** The current table: a subscription calls its listener with a snapshot synchronously. */
function functionsOf(link: PoolManagerLink): TableFunction[] {
  let functions: TableFunction[] = [];
  link.subscribe((change) => {
    if (change.type === "snapshot") ({ functions } = change);
  })();
  return functions;
}

/**
 * How long the table is not written after a write, in milliseconds: 5.4 MB, as of 10,000 functions with an instance each,
 * would be 27 MB a second, and take up most of the leader's time.
 */
export function pauseAfter({ bytes, tookMs }: { bytes: number; tookMs: number }): number {
  return Math.min(MAX_PAUSE_MS, Math.max(SAVE_EVERY_MS, tookMs * PAUSE_PER_WRITE, bytes / BYTES_PER_MS));
}
