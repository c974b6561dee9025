import { ManagerError } from "../errors.ts";
import { Schedules } from "../schedules/schedules.ts";
import type { PoolSpec } from "./decide/world.ts";
import { freeAllowed, INSTANCE_BYTES, sizeCap } from "./memory/idle-memory.ts";
import { RetiredPools } from "./retired-pools.ts";
import { changed, checkIdleMemory } from "./settings/pool-change.ts";
import type { PoolChange } from "./settings/pool-fields.ts";

/** A pool as it is stored. */
export interface StoredPool {
  /** True if it was set although it exceeds this machine's capacity. */
  forced?: boolean;
  /** The change that was set; null if the store itself rejects it. */
  set: PoolChange | null;
  /** The last valid change, in force while `set` is invalid; null for a store in which an invalid change is an error. */
  held: PoolChange | null;
}

/** Store of the pools' settings. */
export interface PoolStore {
  load(): Promise<Map<string, StoredPool>>;
  /** Resolves once it is durable. `forced`: the next start does not cap the sizes either. */
  save(pool: PoolSpec, change: PoolChange, forced: boolean): Promise<void>;
}

/** The choice of a pool that sizes itself. */
interface Chosen {
  size: number;
  refills: number;
}

export interface PoolsOptions {
  /** The maximum number of instances that this machine can run; null: unknown. */
  capacity?: number | null;
  schedules?: Schedules;
  /** Bytes of the instances that functions keep in a pool by their `minScale`. */
  reserved?(pool: string): number;
}

/** The pools and their settings. */
export class Pools {
  readonly #store: PoolStore;
  readonly #defaults = new Map<string, PoolSpec>();
  readonly #specs = new Map<string, PoolSpec>();
  readonly #changed: (pool: PoolSpec) => void;
  readonly #capacity: number | null;
  readonly #schedules: Schedules;
  readonly #reserved: (pool: string) => number;
  /** Pools whose sizes were set with `force`. */
  readonly #forced = new Set<string>();
  readonly #chosen = new Map<string, Chosen>();
  readonly #retired = new RetiredPools();
  /** Messages about stored sizes that exceed this machine's capacity and are therefore capped. */
  readonly capped: string[] = [];

  constructor(store: PoolStore, changed: (pool: PoolSpec) => void, { capacity = null, schedules = new Schedules(), reserved = () => 0 }: PoolsOptions = {}) {
    this.#store = store;
    this.#changed = changed;
    this.#capacity = capacity;
    this.#schedules = schedules;
    this.#reserved = reserved;
  }

  /**
   * Reads the stored settings; `defaults` are the pools that exist without any. An invalid stored setting is not applied:
   * the last valid one is. Throws `POOL_INVALID` if the store has no last valid one.
   */
  async load(defaults: readonly PoolSpec[]): Promise<void> {
    for (const pool of defaults) this.#defaults.set(pool.name, pool);
    const stored = await this.#store.load();
    for (const [name, pool] of this.#defaults) {
      if (stored.get(name)?.forced) this.#forced.add(name);
      this.#specs.set(name, this.#cap(inForce(pool, stored.get(name))));
    }
  }

  /** Caps a pool at this machine's capacity: a size that exhausted the memory would do so at each start. */
  #cap(pool: PoolSpec): PoolSpec {
    const { name, size, max } = pool;
    const capacity = this.#capacity;
    if (capacity === null || max <= capacity || this.#forced.has(name)) return pool;
    const sizes = { size: Math.min(size, capacity), max: capacity };
    const auto = pool.auto ? { ...pool.auto, min: Math.min(pool.auto.min, capacity) } : null;
    this.capped.push(
      `the pool ${name} is stored with size ${size} and max ${max}, but this machine has room for ${capacity}: it is capped at size ${sizes.size} and max ${capacity}`,
    );
    return { ...pool, ...sizes, auto };
  }

  /** Those that are offered, and then those that are retired and have instances yet. */
  list(): PoolSpec[] {
    return [...[...this.#specs.values()].map((pool) => this.#sized(pool)), ...this.#retired.list()];
  }

  /** These pools have instances. */
  observe(populated: ReadonlySet<string>): void {
    this.#retired.observe(populated, this.#defaults);
  }

  /** The size of a pool that sizes itself, and the refills that it needs concurrently. They are not stored here. */
  choose(name: string, chosen: Chosen): void {
    this.#chosen.set(name, chosen);
  }

  /** With the size in force: as set, as chosen, or as a schedule raises it, within what `idleMemory` allows. */
  #sized(declared: PoolSpec): PoolSpec {
    const { name, auto, max, idleMemory: limit } = declared;
    const memory = limit === undefined ? null : { limit, instance: declared.sizeClass ?? INSTANCE_BYTES, reserved: this.#reserved(name) };
    const pool = memory ? { ...declared, memory } : declared;
    const chosen = auto ? this.#chosen.get(name) : undefined;
    const sized = auto && chosen ? { ...pool, size: Math.min(Math.max(chosen.size, auto.min), sizeCap(memory, auto.min, max)), refills: chosen.refills } : pool;
    const scheduled = this.#schedules.activeOf(`pool ${name}`, name, pool.warm);
    if (!scheduled) return sized;
    const raised = Math.min(scheduled.instances, memory ? freeAllowed(memory) : max, max);
    return { ...sized, scheduled, ownSize: sized.size, size: Math.max(sized.size, raised) };
  }

  get(name: string): PoolSpec {
    const found = this.#specs.get(name);
    const pool = found ? this.#sized(found) : this.#retired.list().find((retired) => retired.name === name);
    if (!pool) throw new ManagerError("POOL_NOT_FOUND", `there is no pool ${JSON.stringify(name.slice(0, 80))}`, "name");
    return pool;
  }

  /**
   * Fields left out are unchanged. `force` also accepts sizes beyond this machine's capacity. Throws `POOL_NOT_FOUND`,
   * `POOL_TOO_LARGE` or `POOL_INVALID` with the field, also for a retired pool.
   */
  async set(name: string, change: PoolChange, force = false): Promise<PoolSpec> {
    const next = changed(this.#declared(name), change);
    const sizes = change.size !== undefined || change.max !== undefined;
    if (sizes && !force) this.#checkCapacity(next, change);
    checkIdleMemory(next, change);
    const forced = sizes ? force : this.#forced.has(name);
    await this.#store.save(next, change, forced);
    if (forced) this.#forced.add(name);
    else this.#forced.delete(name);
    return this.#apply(next);
  }

  /** As it was set, without the size that it has chosen. */
  #declared(name: string): PoolSpec {
    const pool = this.#specs.get(name) ?? this.get(name);
    if (pool.retired) throw new ManagerError("POOL_INVALID", `name: the size class of the pool ${name} is not declared any more`, "name");
    return pool;
  }

  #checkCapacity({ max }: PoolSpec, { size }: PoolChange): void {
    const capacity = this.#capacity;
    if (capacity === null || max <= capacity) return;
    const [field, wanted] = typeof size === "number" && size > capacity ? ["size", size] : ["max", max];
    throw new ManagerError("POOL_TOO_LARGE", `${field}: ${wanted} instances exceed this machine's memory, which has room for ${capacity}`, String(field));
  }

  /** Applies what is declared in the store; fields left out have their defaults. Throws as `set` does. */
  declare(name: string, declared: PoolChange): PoolSpec {
    this.#declared(name);
    const next = changed(this.#defaults.get(name) as PoolSpec, declared);
    checkIdleMemory(next, declared);
    return this.#apply(next);
  }

  #apply(pool: PoolSpec): PoolSpec {
    this.#specs.set(pool.name, pool);
    this.#changed(pool);
    return this.#sized(pool);
  }
}

function inForce(pool: PoolSpec, stored: StoredPool | undefined): PoolSpec {
  if (!stored) return pool;
  const { set, held } = stored;
  const found = set ? attempt(pool, set) : null;
  if (found && !(found instanceof ManagerError)) return found;
  if (found && held === null) throw new ManagerError("POOL_INVALID", `the pool ${pool.name}, as it is stored: ${found.message}`, found.field);
  // The store reports an invalid declaration once it watches declarations.
  const last = attempt(pool, held ?? {});
  return last instanceof ManagerError ? pool : last;
}

function attempt(pool: PoolSpec, change: PoolChange): PoolSpec | ManagerError {
  try {
    return changed(pool, change);
  } catch (error) {
    if (error instanceof ManagerError) return error;
    throw error;
  }
}
