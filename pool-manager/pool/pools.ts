import { join } from "node:path";
import { parse, stringify } from "yaml";
import { ManagerError } from "../errors.ts";
import { durably } from "../functions/file-store.ts";
import { type FileOps, FileSet, realFiles } from "../functions/files.ts";
import type { Budget, PoolSpec } from "./state.ts";

/** Most instances of a pool that the API accepts. */
const MAX_INSTANCES = 5000;

export interface PoolChange {
  size?: number;
  max?: number;
  budget?: Budget;
}

/** The pools and their sizes; one YAML file each below `pools/`. */
export class Pools {
  readonly #files: FileSet;
  readonly #specs = new Map<string, PoolSpec>();
  readonly #changed: () => void;

  constructor(stateDir: string, changed: () => void, ops: FileOps = realFiles) {
    this.#files = new FileSet(join(stateDir, "pools"), 0o600, ops);
    this.#changed = changed;
  }

  /** Reads the stored pools; `defaults` are the pools that exist without having been set. */
  async load(defaults: readonly PoolSpec[]): Promise<void> {
    for (const pool of defaults) this.#specs.set(pool.name, pool);
    for (const text of (await this.#files.readAll()).values()) {
      const stored = parse(text) as PoolSpec;
      const known = this.#specs.get(stored.name);
      if (known) this.#specs.set(stored.name, { ...known, ...stored });
    }
  }

  list(): PoolSpec[] {
    return [...this.#specs.values()];
  }

  get(name: string): PoolSpec {
    const pool = this.#specs.get(name);
    if (!pool) throw new ManagerError("POOL_NOT_FOUND", `there is no pool ${JSON.stringify(name.slice(0, 80))}`, "name");
    return pool;
  }

  /** Throws `POOL_NOT_FOUND` or `POOL_INVALID` with the field. */
  async set(name: string, change: PoolChange): Promise<PoolSpec> {
    const known = this.get(name);
    const next: PoolSpec = {
      ...known,
      size: change.size ?? known.size,
      max: change.max ?? Math.max(known.max, change.size ?? 0),
      budget: change.budget ?? known.budget,
    };
    check(next);
    await durably(() => this.#files.write(`${name}.yaml`, stringify(next)));
    this.#specs.set(name, next);
    this.#changed();
    return next;
  }
}

function check({ size, max, budget }: PoolSpec): void {
  if (max < 1 || max > MAX_INSTANCES) throw new ManagerError("POOL_INVALID", `max: ${max} is not between 1 and ${MAX_INSTANCES}`, "max");
  if (size < 0 || size > max) throw new ManagerError("POOL_INVALID", `size: ${size} is not between 0 and max ${max}`, "size");
  if (budget.actions < 1 || budget.windowMs < 100) {
    throw new ManagerError("POOL_INVALID", "budget: at least 1 action in a window of at least 100 ms", "budget");
  }
}
