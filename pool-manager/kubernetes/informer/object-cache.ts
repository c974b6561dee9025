import type { KubeObject } from "../objects.ts";

/** Uids of objects whose deletion was seen: so many are remembered. */
const MAX_DELETED = 2000;

/** `deleted`: the server has said so; `missing`: a listing no longer has it, which proves nothing by itself. */
export type Change<T> = { type: "present"; object: T } | { type: "deleted" | "missing"; object: T };

/** The objects of one kind as they are known, by name. Listings, events and answers to writes come in any order. */
export class ObjectCache<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  /** Objects whose deletion was seen lately: the answer to a write of ours may come after it. */
  readonly #deleted = new Set<string>();
  readonly #onChange: (change: Change<T>) => void;

  constructor(onChange: (change: Change<T>) => void) {
    this.#onChange = onChange;
  }

  get(name: string): T | undefined {
    return this.#objects.get(name);
  }

  all(): IterableIterator<T> {
    return this.#objects.values();
  }

  /**
   * Takes in the answer to a write. `told` is the version up to which listing and watch have told everything: an object
   * of that time that is not known is gone by now, and does not take the place of another one of its name.
   */
  learn(object: T, told: string): void {
    const isKnown = this.#objects.get(object.metadata.name)?.metadata.uid === object.metadata.uid;
    if (isKnown || isBefore(told, object.metadata.resourceVersion)) this.found(object);
  }

  /** Takes in an object that the server has shown just now, unless a newer state of it is known, or its deletion. */
  found(object: T): void {
    if (!this.#deleted.has(object.metadata.uid)) this.#take(object);
  }

  /** Takes in what a watch tells. What was told to be deleted may only have lost its label, and got it back. */
  told(object: T): void {
    this.#deleted.delete(object.metadata.uid);
    this.#take(object);
  }

  #take(object: T): void {
    const known = this.#objects.get(object.metadata.name);
    if (!known || isNewer(object, known)) this.#hold(object);
  }

  /** The server has said that it was deleted. */
  delete(object: T): void {
    const { name, uid } = object.metadata;
    // Another object of its name may have been learned already.
    if (this.#objects.get(name)?.metadata.uid === uid) this.#objects.delete(name);
    this.#deleted.add(uid);
    for (const oldest of this.#deleted) {
      if (this.#deleted.size <= MAX_DELETED) break;
      this.#deleted.delete(oldest);
    }
    this.#onChange({ type: "deleted", object });
  }

  /**
   * Takes in a complete listing of this version. It is right about everything that was written until then, an earlier
   * state of an object that is known included: the server's data may come from a backup. What has a later version is
   * the answer to a write since, unless the listing begins `anew`.
   */
  replace(items: readonly T[], version: string, anew: boolean): void {
    const isLater = (object: T) => !anew && isBefore(version, object.metadata.resourceVersion);
    const names = new Set(items.map(({ metadata }) => metadata.name));
    for (const [name, object] of this.#objects) {
      if (names.has(name) || isLater(object)) continue;
      this.#objects.delete(name);
      this.#onChange({ type: "missing", object });
    }
    for (const item of items) this.#relist(item, isLater);
  }

  #relist(item: T, isLater: (object: T) => boolean): void {
    const known = this.#objects.get(item.metadata.name);
    if (known && isLater(known)) return;
    this.#deleted.delete(item.metadata.uid);
    if (known && known.metadata.uid !== item.metadata.uid) this.#onChange({ type: "missing", object: known });
    else if (known?.metadata.resourceVersion === item.metadata.resourceVersion) return;
    this.#hold(item);
  }

  #hold(object: T): void {
    this.#objects.set(object.metadata.name, object);
    this.#onChange({ type: "present", object });
  }
}

/** Versions of objects of one kind rise (Kubernetes API concepts: since 1.35 officially comparable as decimals). */
export function isNewer(a: KubeObject, b: KubeObject): boolean {
  return a.metadata.uid !== b.metadata.uid || isBefore(b.metadata.resourceVersion, a.metadata.resourceVersion);
}

/** Whether one version is lower than another; "" is none yet. */
export function isBefore(version: string, other: string): boolean {
  return BigInt(version || 0) < BigInt(other || 0);
}
