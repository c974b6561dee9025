import { type ApiObject, freeze } from "../objects/object.ts";

export interface StoreEvent {
  version: number;
  resource: string;
  type: "ADDED" | "MODIFIED" | "DELETED";
  object: ApiObject;
  /** The object before the change; null: it did not exist. */
  before: ApiObject | null;
}

export interface Snapshot {
  version: number;
  objects: ReadonlyMap<string, ReadonlyMap<string, ApiObject>>;
}

export interface StoreListener {
  changed(event: StoreEvent): void;
  /** Everything went back to a snapshot: what watches were told since is not so. */
  restored(): void;
}

/** Events that are kept: a watch or a page of a list from before them is refused with 410. */
const HISTORY = 10_000;

/**
 * Objects by resource, namespace and name, one counter of versions for all of them (etcd's revision), and the history
 * of changes. Objects in it are frozen: each change is another object.
 */
export class Store {
  #version = 100;
  /** Nothing is known of the time up to this version. */
  #compacted = 100;
  #objects = new Map<string, Map<string, ApiObject>>();
  #history: StoreEvent[] = [];
  readonly #listeners = new Set<StoreListener>();

  /** The version of the latest change. */
  get version(): number {
    return this.#version;
  }

  get compacted(): number {
    return this.#compacted;
  }

  listen(listener: StoreListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get(resource: string, namespace: string | null, name: string): ApiObject | undefined {
    return this.#objects.get(resource)?.get(keyOf(namespace, name));
  }

  /** In the order of their keys, now or as they were at a version. */
  list(resource: string, namespace: string | null = null, version = this.#version): ApiObject[] {
    const objects = new Map(this.#objects.get(resource));
    for (let i = this.#history.length - 1; i >= 0; i--) {
      const event = this.#history[i] as StoreEvent;
      if (event.version <= version) break;
      if (event.resource !== resource) continue;
      const key = keyOf(event.object.metadata.namespace ?? null, event.object.metadata.name);
      if (event.before) objects.set(key, event.before);
      else objects.delete(key);
    }
    const keys = [...objects.keys()].filter((key) => namespace === null || key.startsWith(`${namespace}/`)).sort();
    return keys.map((key) => objects.get(key) as ApiObject);
  }

  /** Stores it under the next version, which is written into it. */
  put(resource: string, object: ApiObject): ApiObject {
    const { namespace = null, name } = object.metadata;
    const before = this.get(resource, namespace, name) ?? null;
    const version = ++this.#version;
    const stored = freeze({ ...object, metadata: { ...object.metadata, resourceVersion: String(version) } });
    const all = this.#objects.get(resource) ?? new Map<string, ApiObject>();
    this.#objects.set(resource, all);
    all.set(keyOf(namespace, name), stored);
    this.#record({ version, resource, type: before ? "MODIFIED" : "ADDED", object: stored, before });
    return stored;
  }

  /** The event carries the object as it was last, under the version of its deletion. */
  remove(resource: string, namespace: string | null, name: string): ApiObject {
    const before = this.get(resource, namespace, name);
    if (!before) throw new Error(`the store has no ${resource} ${name}`);
    const version = ++this.#version;
    const last = freeze({ ...before, metadata: { ...before.metadata, resourceVersion: String(version) } });
    this.#objects.get(resource)?.delete(keyOf(namespace, name));
    this.#record({ version, resource, type: "DELETED", object: last, before });
    return last;
  }

  /** Changes of a resource after a version, which must not be compacted. */
  since(resource: string, version: number): StoreEvent[] {
    return this.#history.filter((event) => event.resource === resource && event.version > version);
  }

  /** Forgets the history up to a version. */
  compact(version = this.#version): void {
    this.#compacted = Math.max(this.#compacted, Math.min(version, this.#version));
    this.#history = this.#history.filter((event) => event.version > this.#compacted);
  }

  snapshot(): Snapshot {
    return { version: this.#version, objects: new Map([...this.#objects].map(([resource, all]) => [resource, new Map(all)])) };
  }

  /** Etcd from a backup: objects, and the counter of versions, are as they were. Changes after that count on from there. */
  restore({ version, objects }: Snapshot): void {
    this.#version = version;
    this.#compacted = version;
    this.#history = [];
    this.#objects = new Map([...objects].map(([resource, all]) => [resource, new Map(all)]));
    for (const listener of [...this.#listeners]) listener.restored();
  }

  #record(event: StoreEvent): void {
    this.#history.push(event);
    if (this.#history.length > 2 * HISTORY) this.compact((this.#history.at(-HISTORY) as StoreEvent).version - 1);
    for (const listener of [...this.#listeners]) listener.changed(event);
  }
}

function keyOf(namespace: string | null, name: string): string {
  return `${namespace ?? ""}/${name}`;
}
