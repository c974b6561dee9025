import { isHttpUrl } from "./address.ts";
import type { PoolManagerLink, TableChange } from "./contract.ts";
import { parseSaved, type SavedTable, TableError } from "./parse.ts";
import type { TableSnapshots } from "./snapshot.ts";

/** Interval at which Redis is read while the pool manager does not answer. */
const ASK_AFTER_MS = 500;

/** A link to the pool manager that accepts a second address. */
export interface ReachableLink extends PoolManagerLink {
  alsoAt(url: string): void;
}

/**
 * A link that begins with the table in Redis if the pool manager does not answer; the manager's own table replaces it.
 * While the manager is silent, the address that the leader stored in Redis is tried too.
 */
export class SnapshotLink implements PoolManagerLink {
  readonly #link: ReachableLink;
  readonly #snapshots: TableSnapshots;

  constructor(link: ReachableLink, snapshots: TableSnapshots) {
    this.#link = link;
    this.#snapshots = snapshots;
  }

  subscribe(listener: (change: TableChange) => void): () => void {
    const follower = new Follower(this.#link, this.#snapshots, listener);
    const unsubscribe = this.#link.subscribe((change) => follower.take(change));
    const ask = setInterval(() => void follower.ask(), ASK_AFTER_MS);
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

/** The tables that one listener has received, from the pool manager and from Redis. */
class Follower {
  readonly #link: ReachableLink;
  readonly #snapshots: TableSnapshots;
  readonly #listener: (change: TableChange) => void;
  /** True once it has a table. */
  #known = false;
  /** True while the pool manager is connected. */
  #heard = false;
  /** Why the pool manager is not connected (`#lost`), and what is wrong with Redis' content (`#trouble`). */
  #lost = "the pool manager has not answered yet";
  #trouble = "";

  constructor(link: ReachableLink, snapshots: TableSnapshots, listener: (change: TableChange) => void) {
    this.#link = link;
    this.#snapshots = snapshots;
    this.#listener = listener;
  }

  take(change: TableChange): void {
    if (change.type === "snapshot") this.#known = this.#heard = true;
    if (change.type !== "lost") return this.#listener(change);
    this.#heard = false;
    this.#lost = change.reason;
    this.#tell();
  }

  async ask(): Promise<void> {
    if (this.#heard) return;
    // If Redis is unreachable too, the next interval retries.
    const [url, table] = await Promise.all([this.#snapshots.manager(), this.#known ? null : this.#snapshots.load()]).catch(() => [null, null]);
    const troubles = [url === null ? null : this.#manager(url), table === null || this.#known ? null : this.#table(table)];
    const trouble = troubles.filter((one) => one !== null).join("; ");
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    if (!this.#heard) this.#tell();
  }

  /** Tries this address too. Returns what is wrong with it, or null. */
  #manager(url: string): string | null {
    if (!isHttpUrl(url)) return `${JSON.stringify(url.slice(0, 100))}, the pool manager's address in Redis, is not an http URL: the next leader overwrites it`;
    this.#link.alsoAt(url);
    return null;
  }

  /** Begins with this table. Returns what is wrong with it, or null. */
  #table(table: string): string | null {
    const saved = parsed(table);
    if (saved instanceof TableError) return saved.message;
    this.#known = true;
    this.#listener({ type: "snapshot", functions: saved.functions });
    this.#listener({ type: "routers", routers: saved.routers });
    this.#lost = "the table is the one that Redis keeps";
    this.#tell();
    return null;
  }

  #tell(): void {
    this.#listener({ type: "lost", reason: this.#trouble ? `${this.#lost}; ${this.#trouble}` : this.#lost });
  }
}

function parsed(table: string): SavedTable | TableError {
  try {
    return parseSaved(table);
  } catch (error) {
    if (error instanceof TableError) return error;
    throw error;
  }
}
