import { Type } from "typebox";
import { ManagerError } from "../errors.ts";
import type { AutoSize, PoolSpec } from "./decide/world.ts";

/** The largest accepted `max` of a pool. */
export const MAX_INSTANCES = 5000;
/** The largest accepted budget: a million actions a day. */
const MAX_ACTIONS = 1_000_000;
const MAX_WINDOW_MS = 86_400_000;

/** The size of a pool that sizes itself. */
export const AUTO = "auto";
const DEFAULT_TARGET_HIT = 0.99;
const DEFAULT_MIN = 1;

/** The fields of a pool that the API and its custom resource can set. */
export const PoolFields = Type.Object(
  {
    size: Type.Optional(
      Type.Union([Type.Integer({ minimum: 0, maximum: MAX_INSTANCES }), Type.Literal(AUTO)], {
        description: "Instances kept free; auto: as many as the recorded claims need for targetHit, between min and max.",
      }),
    ),
    targetHit: Type.Optional(
      Type.Number({
        description: "With size auto: share of the claims that find a free instance.",
        minimum: 0.5,
        maximum: 0.9999,
        default: DEFAULT_TARGET_HIT,
      }),
    ),
    min: Type.Optional(Type.Integer({ description: "With size auto: the least size.", minimum: 0, maximum: MAX_INSTANCES, default: DEFAULT_MIN })),
    max: Type.Optional(Type.Integer({ description: "All instances of the pool.", minimum: 1, maximum: MAX_INSTANCES })),
    budget: Type.Optional(
      Type.Object(
        { actions: Type.Integer({ minimum: 1, maximum: MAX_ACTIONS }), windowMs: Type.Integer({ minimum: 100, maximum: MAX_WINDOW_MS }) },
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

export type PoolChange = Partial<Pick<PoolSpec, "max" | "budget" | "partition" | "paused"> & AutoSize & { size: number | typeof AUTO }>;

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

/** What a pool that sizes itself has chosen. */
interface Chosen {
  size: number;
  refills: number;
}

/** The pools and their settings. */
export class Pools {
  readonly #store: PoolStore;
  readonly #defaults = new Map<string, PoolSpec>();
  readonly #specs = new Map<string, PoolSpec>();
  readonly #changed: (pool: PoolSpec) => void;
  readonly #capacity: number | null;
  /** Pools whose sizes were set with `force`. */
  readonly #forced = new Set<string>();
  readonly #chosen = new Map<string, Chosen>();
  /** Messages about stored sizes that exceed this machine's capacity and are therefore capped. */
  readonly capped: string[] = [];

  /** `capacity`: the maximum number of instances that this machine can run; null if unknown. */
  constructor(store: PoolStore, changed: (pool: PoolSpec) => void, capacity: number | null = null) {
    this.#store = store;
    this.#changed = changed;
    this.#capacity = capacity;
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

  list(): PoolSpec[] {
    return [...this.#specs.values()].map((pool) => this.#sized(pool));
  }

  /** The size of a pool that sizes itself, and the refills that it needs concurrently. They are not stored here. */
  choose(name: string, chosen: Chosen): void {
    this.#chosen.set(name, chosen);
  }

  #sized(pool: PoolSpec): PoolSpec {
    const chosen = this.#chosen.get(pool.name);
    if (!pool.auto || !chosen) return pool;
    return { ...pool, size: Math.min(Math.max(chosen.size, pool.auto.min), pool.max), refills: chosen.refills };
  }

  get(name: string): PoolSpec {
    const found = this.#specs.get(name);
    const pool = found && this.#sized(found);
    if (!pool) throw new ManagerError("POOL_NOT_FOUND", `there is no pool ${JSON.stringify(name.slice(0, 80))}`, "name");
    return pool;
  }

  /**
   * Fields left out are unchanged. `force` also accepts sizes beyond this machine's capacity. Throws `POOL_NOT_FOUND`,
   * `POOL_TOO_LARGE` or `POOL_INVALID` with the field.
   */
  async set(name: string, change: PoolChange, force = false): Promise<PoolSpec> {
    const next = changed(this.#declared(name), change);
    const sizes = change.size !== undefined || change.max !== undefined;
    if (sizes && !force) this.#checkCapacity(next, change);
    const forced = sizes ? force : this.#forced.has(name);
    await this.#store.save(next, change, forced);
    if (forced) this.#forced.add(name);
    else this.#forced.delete(name);
    return this.#apply(next);
  }

  /** As it was set, without the size that it has chosen. */
  #declared(name: string): PoolSpec {
    return this.#specs.get(name) ?? this.get(name);
  }

  #checkCapacity({ max }: PoolSpec, { size }: PoolChange): void {
    const capacity = this.#capacity;
    if (capacity === null || max <= capacity) return;
    const [field, wanted] = typeof size === "number" && size > capacity ? ["size", size] : ["max", max];
    throw new ManagerError("POOL_TOO_LARGE", `${field}: ${wanted} instances exceed this machine's memory, which has room for ${capacity}`, String(field));
  }

  /** Applies what is declared in the store; fields left out have their defaults. Throws as `set` does. */
  declare(name: string, declared: PoolChange): PoolSpec {
    this.get(name);
    return this.#apply(changed(this.#defaults.get(name) as PoolSpec, declared));
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

function changed(pool: PoolSpec, change: PoolChange): PoolSpec {
  const { max, budget, partition, paused } = change;
  const auto = autoOf(pool, change);
  const size = auto ? auto.min : typeof change.size === "number" ? change.size : pool.size;
  const next: PoolSpec = {
    ...pool,
    auto,
    size,
    max: max ?? Math.max(pool.max, typeof change.size === "number" ? change.size : 0),
    budget: budget ?? pool.budget,
    partition: partition ?? pool.partition,
    paused: paused ?? pool.paused,
  };
  check(next);
  return next;
}

/** How the pool sizes itself after the change; null: its size is fixed. */
function autoOf(pool: PoolSpec, { size, targetHit, min }: PoolChange): AutoSize | null {
  const isAuto = size === undefined ? Boolean(pool.auto) : size === AUTO;
  if (isAuto) return { targetHit: targetHit ?? pool.auto?.targetHit ?? DEFAULT_TARGET_HIT, min: min ?? pool.auto?.min ?? Math.min(DEFAULT_MIN, pool.max) };
  const [field] = targetHit !== undefined ? ["targetHit"] : min !== undefined ? ["min"] : [];
  if (field) throw new ManagerError("POOL_INVALID", `${field}: it applies to size auto alone, and the size is ${size ?? pool.size}`, field);
  return null;
}

function check({ size, max, budget, auto }: PoolSpec): void {
  if (auto) checkAuto(auto, max);
  if (max < 1 || max > MAX_INSTANCES) throw new ManagerError("POOL_INVALID", `max: ${max} is not between 1 and ${MAX_INSTANCES}`, "max");
  if (size < 0 || size > max) throw new ManagerError("POOL_INVALID", `size: ${size} is not between 0 and max ${max}`, "size");
  if (budget.actions < 1 || budget.windowMs < 100) {
    throw new ManagerError("POOL_INVALID", "budget: at least 1 action in a window of at least 100 ms", "budget");
  }
}

function checkAuto({ targetHit, min }: AutoSize, max: number): void {
  if (!(targetHit >= 0.5 && targetHit <= 0.9999)) throw new ManagerError("POOL_INVALID", `targetHit: ${targetHit} is not between 0.5 and 0.9999`, "targetHit");
  if (min > max) throw new ManagerError("POOL_INVALID", `min: ${min} is above max ${max}`, "min");
}

/** A pool's settings as they are declared and stored: of one that sizes itself `auto` and its bounds instead of a number. */
export function declarationOf({ size, auto, max, budget, partition, paused }: PoolSpec): PoolChange {
  return { ...(auto ? { size: AUTO, ...auto } : { size }), max, budget, partition, paused };
}
