import type { PoolSpec } from "../decide/world.ts";
import { type CheckInput, PlausibilityCheck } from "./plausibility.ts";

/** The pools of which something is observed that cannot be true: told once, and nothing is removed or changed by it. */
export class Doubts {
  readonly #plausibility = new PlausibilityCheck();
  readonly #onDoubt: (pool: string, message: string) => void;
  #doubted: ReadonlyMap<string, string> = new Map();

  constructor(onDoubt: (pool: string, message: string) => void) {
    this.#onDoubt = onDoubt;
  }

  check(pools: readonly PoolSpec[], input: CheckInput): void {
    const before = this.#doubted;
    this.#doubted = this.#plausibility.check(pools, input);
    for (const [pool, message] of this.#doubted) if (!before.has(pool)) this.#onDoubt(pool, message);
  }

  /** Why what is observed of a pool is not believed; null: it is. */
  of(pool: string): string | null {
    return this.#doubted.get(pool) ?? null;
  }

  /** Pools as they are to be treated: one that is doubted as if somebody had paused it. */
  pausing(pools: readonly PoolSpec[]): PoolSpec[] {
    return pools.map((pool) => (this.#doubted.has(pool.name) ? { ...pool, paused: true } : pool));
  }
}
