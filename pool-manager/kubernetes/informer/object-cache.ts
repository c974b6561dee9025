import { BoundedSet } from "../../collections/bounded.ts";
import type { KubeObject } from "../objects.ts";

/** How many uids of deleted objects are remembered. */
const MAX_DELETED = 2000;

/** `deleted`: the server has reported a deletion; `missing`: a listing lacks the object, which by itself proves nothing. */
export type Change<T> = { type: "present"; object: T } | { type: "deleted" | "missing"; object: T };

/** A cache of the objects of one kind, by name. Listings, watch events and answers to writes may arrive in any order. */
export class ObjectCache<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  /** Uids of recently deleted objects: the answer to an earlier write may arrive after the deletion. */
  readonly #deleted = new BoundedSet<string>(MAX_DELETED);
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
   * Ingests the answer to a write. Listing and watch are complete up to the version `seen`: an object that is not newer and
   * not cached has been deleted since, and must not replace another one of its name.
   */
  learn(object: T, seen: string): void {
    const isKnown = this.#objects.get(object.metadata.name)?.metadata.uid === object.metadata.uid;
    if (isKnown || isBefore(seen, object.metadata.resourceVersion)) this.found(object);
  }

  /** Ingests an object that was just read, unless a newer state of it or its deletion is known. */
  found(object: T): void {
    if (!this.#deleted.has(object.metadata.uid)) this.#take(object);
  }

  /** Ingests an object from a watch event. An object that the watch reported as deleted may have lost its label and regained it. */
  told(object: T): void {
    this.#deleted.delete(object.metadata.uid);
    this.#take(object);
  }

  #take(object: T): void {
    const known = this.#objects.get(object.metadata.name);
    if (!known || isNewer(object, known)) this.#hold(object);
  }

  /** Ingests a deletion that the server has reported. */
  delete(object: T): void {
    const { name, uid } = object.metadata;
    // Another object of this name may already be cached.
    if (this.#objects.get(name)?.metadata.uid === uid) this.#objects.delete(name);
    this.#deleted.add(uid);
    this.#onChange({ type: "deleted", object });
  }

  /**
   * Ingests a complete listing of this version. It is authoritative for everything written until then, even if it shows an
   * older state of a cached object: the server may have been restored from a backup. A cached object with a later version
   * comes from a later write and stays, unless `anew`: then the listing replaces everything.
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

/**
 * Whether `a` is another object than `b`, or a later version. Versions of one kind increase (Kubernetes API concepts:
 * since 1.35 officially comparable as decimals).
 */
export function isNewer(a: KubeObject, b: KubeObject): boolean {
  return a.metadata.uid !== b.metadata.uid || isBefore(b.metadata.resourceVersion, a.metadata.resourceVersion);
}

/** Whether one version is lower than another; "" is lower than all. */
export function isBefore(version: string, other: string): boolean {
  return BigInt(version || 0) < BigInt(other || 0);
}
