/** The instances of a served revision, as `idleMemory` counts them. */
export interface Held {
  /** Bytes of each. */
  cost: number;
  /** Instances that a user has set, which are kept in any case. */
  least: number;
  /** Instances that are in use, or that its invocations need. */
  needed: number;
  have: number;
}

/** Instances that are there for nobody. */
export function spareOf({ least, needed, have }: Held): number {
  return Math.max(0, have - Math.max(least, needed));
}

/**
 * The rest of `limit` bytes beside `free` instances of the pool and the instances that are there for nobody; negative: they
 * take more.
 */
export function roomBeside({ limit, instance, reserved }: { limit: number; instance: number; reserved: number }, free: number, held: Iterable<Held>): number {
  let room = limit - reserved - free * instance;
  for (const one of held) room -= spareOf(one) * one.cost;
  return room;
}

/** Memory that is given to further instances, in the order in which they ask. */
export class Room {
  #bytes: number;

  /** `bytes`: infinite for no limit. */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** How many of `missing` instances may come: those that invocations need or a user has set (`due`), and others as long as there is room. */
  grant(missing: number, due: number, cost: number): number {
    const others = missing - Math.max(0, due);
    if (others <= 0) return missing;
    const granted = Math.min(others, Math.max(0, Math.floor(this.#bytes / cost)));
    this.#bytes -= granted * cost;
    return missing - others + granted;
  }
}
