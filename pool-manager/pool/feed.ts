import type { TableChange, TableFunction } from "../client/contract.ts";

type Listener = (change: TableChange) => void;

/** The table as it was last published, and the routers that follow it. */
export class TableFeed {
  readonly #functions = new Map<string, { value: TableFunction; text: string }>();
  readonly #listeners = new Set<Listener>();

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    listener({ type: "snapshot", functions: [...this.#functions.values()].map((entry) => entry.value) });
    return () => this.#listeners.delete(listener);
  }

  /** Publishes a function where it differs from what was published before. */
  upsert(value: TableFunction): void {
    const text = JSON.stringify(value);
    if (this.#functions.get(value.key)?.text === text) return;
    this.#functions.set(value.key, { value, text });
    this.publish({ type: "upsert", function: value });
  }

  /** Of a function only these entries are left. Returns those that are gone. */
  retain(uid: string, keys: ReadonlySet<string>): string[] {
    const gone = [...this.#functions.values()].filter(({ value }) => value.uid === uid && !keys.has(value.key));
    for (const { value } of gone) {
      this.#functions.delete(value.key);
      this.publish({ type: "remove", key: value.key, name: value.name });
    }
    return gone.map(({ value }) => value.key);
  }

  publish(change: TableChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}
