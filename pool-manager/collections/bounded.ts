/**
 * A map of at most `most` entries, from the oldest to the newest. `set` makes its key the newest, and drops the oldest one
 * that is too many. Reading changes nothing. A cache from a library would reserve the memory of `most` entries at once, which
 * is too much where each function has a map.
 */
export class BoundedMap<K, V> extends Map<K, V> {
  readonly #most: number;
  readonly #onDrop: (key: K, value: V) => void;

  /** `onDrop`: called with each entry that `set` has dropped. */
  constructor(most: number, onDrop: (key: K, value: V) => void = () => {}) {
    super();
    this.#most = most;
    this.#onDrop = onDrop;
  }

  override set(key: K, value: V): this {
    this.delete(key);
    super.set(key, value);
    if (this.size > this.#most) this.#dropOldest();
    return this;
  }

  #dropOldest(): void {
    for (const [key, value] of this) {
      this.delete(key);
      this.#onDrop(key, value);
      return;
    }
  }
}

/** A set of at most `most` values, otherwise like `BoundedMap`. */
export class BoundedSet<T> extends Set<T> {
  readonly #most: number;

  constructor(most: number) {
    super();
    this.#most = most;
  }

  override add(value: T): this {
    this.delete(value);
    super.add(value);
    if (this.size > this.#most) this.delete(this.values().next().value as T);
    return this;
  }
}
