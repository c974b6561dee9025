import type { TableChange, TableFunction } from "../../client/contract.ts";

type Listener = (change: TableChange) => void;

/** The last published table, and its subscribers. */
export class TableFeed {
  readonly #functions = new Map<string, { value: TableFunction; text: string }>();
  /** Keys of each function's entries, by its uid. */
  readonly #keys = new Map<string, Set<string>>();
  readonly #listeners = new Set<Listener>();

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    listener({ type: "snapshot", functions: [...this.#functions.values()].map((entry) => entry.value) });
    return () => this.#listeners.delete(listener);
  }

  /** Publishes an entry if it differs from the last published one. */
  upsert(value: TableFunction): void {
    const text = JSON.stringify(value);
    if (this.#functions.get(value.key)?.text === text) return;
    this.#functions.set(value.key, { value, text });
    const own = this.#keys.get(value.uid);
    if (own) own.add(value.key);
    else this.#keys.set(value.uid, new Set([value.key]));
    this.publish({ type: "upsert", function: value });
  }

  /** Removes all other entries of a function, and returns their keys. */
  retain(uid: string, keys: ReadonlySet<string>): string[] {
    const own = this.#keys.get(uid) ?? new Set<string>();
    const gone = [...own].filter((key) => !keys.has(key));
    for (const key of gone) {
      const name = this.#functions.get(key)?.value.name ?? "";
      this.#functions.delete(key);
      own.delete(key);
      this.publish({ type: "remove", key, name });
    }
    if (own.size === 0) this.#keys.delete(uid);
    return gone;
  }

  publish(change: TableChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}
