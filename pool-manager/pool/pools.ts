import { Type } from "typebox";
import { ManagerError } from "../errors.ts";
import type { PoolSpec } from "./decide/world.ts";

/** Most instances of a pool that is accepted. */
const MAX_INSTANCES = 5000;

/** What can be set of a pool, by the API and by its custom resource. */
export const PoolFields = Type.Object(
  {
    size: Type.Optional(Type.Integer({ description: "Instances kept free.", minimum: 0, maximum: MAX_INSTANCES })),
    max: Type.Optional(Type.Integer({ description: "All instances of the pool.", minimum: 1, maximum: MAX_INSTANCES })),
    budget: Type.Optional(
      Type.Object(
        { actions: Type.Integer({ minimum: 1 }), windowMs: Type.Integer({ minimum: 100 }) },
        { description: "Most deletions and in-place changes within a window.", additionalProperties: false },
      ),
    ),
    partition: Type.Optional(
      Type.Integer({ description: "Percent of the instances that keep a former version of the runtime after an upgrade.", minimum: 0, maximum: 100 }),
    ),
    paused: Type.Optional(Type.Boolean({ description: "Nothing is deleted and nothing changed in place." })),
  },
  { additionalProperties: false },
);

export type PoolChange = Partial<Pick<PoolSpec, "size" | "max" | "budget" | "partition" | "paused">>;

/** What a store has of a pool. */
export interface StoredPool {
  /** It was set although this machine does not hold as many. */
  forced?: boolean;
  /** What somebody has set; null: what the store itself refuses. */
  set: PoolChange | null;
  /** What was in force last, which holds where that is not valid; null: the store holds nothing that is not. */
  held: PoolChange | null;
}

/** Where the pools' sizes are kept. */
export interface PoolStore {
  load(): Promise<Map<string, StoredPool>>;
  /** Resolves once it is durable. `forced`: the sizes are kept as they are by the next start too. */
  save(pool: PoolSpec, change: PoolChange, forced: boolean): Promise<void>;
}

/** The pools and their sizes. */
export class Pools {
  readonly #store: PoolStore;
  readonly #defaults = new Map<string, PoolSpec>();
  readonly #specs = new Map<string, PoolSpec>();
  readonly #changed: (pool: PoolSpec) => void;
  readonly #capacity: number | null;
  /** Pools whose sizes somebody has insisted on. */
  readonly #forced = new Set<string>();
  /** Stored sizes that are beyond what this machine holds, and are not in force, in words. */
  readonly capped: string[] = [];

  /** `capacity`: most instances of a pool that can run here; null: nobody knows. */
  constructor(store: PoolStore, changed: (pool: PoolSpec) => void, capacity: number | null = null) {
    this.#store = store;
    this.#changed = changed;
    this.#capacity = capacity;
  }

  /**
   * Reads what was set; `defaults` are the pools that exist without having been set. What is not valid is not in force,
   * as where it is set or declared. Throws `POOL_INVALID` where the store knows of nothing that was.
   */
  async load(defaults: readonly PoolSpec[]): Promise<void> {
    for (const pool of defaults) this.#defaults.set(pool.name, pool);
    const stored = await this.#store.load();
    for (const [name, pool] of this.#defaults) {
      if (stored.get(name)?.forced) this.#forced.add(name);
      this.#specs.set(name, this.#cap(inForce(pool, stored.get(name))));
    }
  }

  /** A size that ended the machine would end it again at each start. */
  #cap(pool: PoolSpec): PoolSpec {
    const { name, size, max } = pool;
    const capacity = this.#capacity;
    if (capacity === null || max <= capacity || this.#forced.has(name)) return pool;
    const sizes = { size: Math.min(size, capacity), max: capacity };
    this.capped.push(
      `the pool ${name} is stored with size ${size} and max ${max}, and this machine holds ${capacity}: it has size ${sizes.size} and max ${capacity}`,
    );
    return { ...pool, ...sizes };
  }

  list(): PoolSpec[] {
    return [...this.#specs.values()];
  }

  get(name: string): PoolSpec {
    const pool = this.#specs.get(name);
    if (!pool) throw new ManagerError("POOL_NOT_FOUND", `there is no pool ${JSON.stringify(name.slice(0, 80))}`, "name");
    return pool;
  }

  /**
   * What is left out stays as it is. `force`: sizes beyond what this machine holds too. Throws `POOL_NOT_FOUND`,
   * `POOL_TOO_LARGE` or `POOL_INVALID` with the field.
   */
  async set(name: string, change: PoolChange, force = false): Promise<PoolSpec> {
    const next = changed(this.get(name), change);
    const sizes = change.size !== undefined || change.max !== undefined;
    if (sizes && !force) this.#checkCapacity(next, change);
    const forced = sizes ? force : this.#forced.has(name);
    await this.#store.save(next, change, forced);
    if (forced) this.#forced.add(name);
    else this.#forced.delete(name);
    return this.#hold(next);
  }

  #checkCapacity({ max }: PoolSpec, { size }: PoolChange): void {
    const capacity = this.#capacity;
    if (capacity === null || max <= capacity) return;
    const [field, wanted] = size !== undefined && size > capacity ? ["size", size] : ["max", max];
    throw new ManagerError("POOL_TOO_LARGE", `${field}: ${wanted} instances are more than this machine's memory holds, which is ${capacity}`, String(field));
  }

  /** Takes in what was declared in the store; what is left out is as by default. Throws as `set` does. */
  declare(name: string, declared: PoolChange): PoolSpec {
    this.get(name);
    return this.#hold(changed(this.#defaults.get(name) as PoolSpec, declared));
  }

  #hold(pool: PoolSpec): PoolSpec {
    this.#specs.set(pool.name, pool);
    this.#changed(pool);
    return pool;
  }
}

function inForce(pool: PoolSpec, stored: StoredPool | undefined): PoolSpec {
  if (!stored) return pool;
  const { set, held } = stored;
  const found = set ? tried(pool, set) : null;
  if (found && !(found instanceof ManagerError)) return found;
  if (found && held === null) throw new ManagerError("POOL_INVALID", `the pool ${pool.name}, as it is stored: ${found.message}`, found.field);
  // The store tells what is not valid when it follows what is declared.
  const last = tried(pool, held ?? {});
  return last instanceof ManagerError ? pool : last;
}

function tried(pool: PoolSpec, change: PoolChange): PoolSpec | ManagerError {
  try {
    return changed(pool, change);
  } catch (error) {
    if (error instanceof ManagerError) return error;
    throw error;
  }
}

function changed(pool: PoolSpec, { size, max, budget, partition, paused }: PoolChange): PoolSpec {
  const next: PoolSpec = {
    ...pool,
    size: size ?? pool.size,
    max: max ?? Math.max(pool.max, size ?? 0),
    budget: budget ?? pool.budget,
    partition: partition ?? pool.partition,
    paused: paused ?? pool.paused,
  };
  check(next);
  return next;
}

function check({ size, max, budget }: PoolSpec): void {
  if (max < 1 || max > MAX_INSTANCES) throw new ManagerError("POOL_INVALID", `max: ${max} is not between 1 and ${MAX_INSTANCES}`, "max");
  if (size < 0 || size > max) throw new ManagerError("POOL_INVALID", `size: ${size} is not between 0 and max ${max}`, "size");
  if (budget.actions < 1 || budget.windowMs < 100) {
    throw new ManagerError("POOL_INVALID", "budget: at least 1 action in a window of at least 100 ms", "budget");
  }
}
