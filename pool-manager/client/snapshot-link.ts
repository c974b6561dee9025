import { isHttpUrl } from "./address.ts";
import type { PoolManagerLink, TableChange } from "./contract.ts";
import { parseSaved, type SavedTable, TableError } from "./parse.ts";
import type { TableSnapshots } from "./snapshot.ts";

/** A router that has no table by then asks Redis, and again until it has one. */
const ASK_AFTER_MS = 500;

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

/** What one listener has heard, of the pool manager and of Redis. */
class Follower {
  readonly #link: ReachableLink;
  readonly #snapshots: TableSnapshots;
  readonly #listener: (change: TableChange) => void;
  /** It has a table. */
  #known = false;
  /** The pool manager is heard. */
  #heard = false;
  /** Why the pool manager is not heard, and what is wrong with Redis' content. */
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
    // Where Redis is away too, it is asked again.
    const [url, table] = await Promise.all([this.#snapshots.manager(), this.#known ? null : this.#snapshots.load()]).catch(() => [null, null]);
    const troubles = [url === null ? null : this.#manager(url), table === null || this.#known ? null : this.#table(table)];
    const trouble = troubles.filter((one) => one !== null).join("; ");
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    if (!this.#heard) this.#tell();
  }

  /** Goes there too. Returns what is wrong with the address. */
  #manager(url: string): string | null {
    if (!isHttpUrl(url))
      return `${JSON.stringify(url.slice(0, 100))}, which Redis names as the pool manager's address, is no http URL: the next leader writes it anew`;
    this.#link.alsoAt(url);
    return null;
  }

  /** Begins with this table. Returns what is wrong with it. */
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
