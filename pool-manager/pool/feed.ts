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
    if (this.#functions.get(value.uid)?.text === text) return;
    this.#functions.set(value.uid, { value, text });
    this.publish({ type: "upsert", function: value });
  }

  remove(uid: string): void {
    const known = this.#functions.get(uid);
    if (!known) return;
    this.#functions.delete(uid);
    this.publish({ type: "remove", uid, name: known.value.name });
  }

  publish(change: TableChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}
