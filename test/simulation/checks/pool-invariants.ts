import { servedRevisions } from "../../../pool-manager/functions/function.ts";
import type { FunctionRegistry } from "../../../pool-manager/functions/registry.ts";
import type { PoolSpec } from "../../../pool-manager/pool/decide/world.ts";
import { usedPools } from "../../../pool-manager/pool/used-pools.ts";
import type { Echo } from "../../../runtime-images/protocol/messages.ts";
import type { FakePlatform } from "../../fakes/fake-platform.ts";
import type { VirtualTime } from "../time.ts";

/** The invariants of each pool: its budget, its maximum, and at rest its size and whose instances it has. */
export class PoolInvariants {
  readonly #time: VirtualTime;
  readonly #platform: FakePlatform;
  readonly #registry: FunctionRegistry;
  readonly #pools: readonly PoolSpec[];
  readonly #fail: (message: string) => never;
  readonly #disruptions = new Map<string, number[]>();

  constructor(time: VirtualTime, platform: FakePlatform, registry: FunctionRegistry, pools: readonly PoolSpec[], fail: (message: string) => never) {
    this.#time = time;
    this.#platform = platform;
    this.#registry = registry;
    this.#pools = pools;
    this.#fail = fail;
  }

  /** I10. Deletions within the budget; `isDeletion`: one more is decided. */
  disrupted(name: string, isDeletion: boolean): void {
    const pool = this.#pools.find((one) => one.name === name);
    if (!pool) this.#fail(`12: there is no pool ${name}`);
    const { actions, windowMs } = pool.budget;
    const now = this.#time.now();
    const within = [...(this.#disruptions.get(name) ?? []), ...(isDeletion ? [now] : [])].filter((at) => now - at < windowMs);
    this.#disruptions.set(name, within);
    if (within.length > actions) this.#fail(`10: ${within.length} deletions of ${name} within ${windowMs} ms, the budget is ${actions}`);
  }

  /** A new manager begins with a new window: it cannot know what its predecessor did. */
  newManager(): void {
    this.#disruptions.clear();
  }

  /** I19. No more instances are alive than a pool may have. */
  check(): void {
    for (const { name, max } of this.#pools) {
      const alive = this.#echoesOf(name).length;
      if (alive > max) this.#fail(`19: ${alive} instances of ${name} are alive, max is ${max}`);
    }
  }

  /** I12 and I15. A pool has its size, and no instance of a function that takes instances of another pool. */
  atRest(): void {
    for (const { name, size, max } of usedPools(this.#pools, this.#registry)) {
      const echoes = this.#echoesOf(name);
      const prewarmed = echoes.filter(({ state }) => state === "prewarmed").length;
      const wanted = Math.min(size, max - (echoes.length - prewarmed));
      if (prewarmed !== wanted) this.#fail(`15: ${prewarmed} prewarmed instances of ${name} at rest, ${wanted} are wanted`);
      for (const echo of echoes) if (this.#homeOf(echo) !== null && this.#homeOf(echo) !== name) this.#fail(`12: ${echo.uid} is left behind in ${name}`);
    }
  }

  /** The pool of what an instance serves: of its revision, or of the active one if that is retired; null: it serves none. */
  #homeOf({ functionUid, revision }: Echo): string | null {
    const record = functionUid === null ? undefined : this.#registry.byUid(functionUid);
    return record
      ? this.#registry.poolOf(
          record,
          servedRevisions(record).find(({ id }) => id === revision),
        )
      : null;
  }

  #echoesOf(pool: string): Echo[] {
    return this.#platform.uids().flatMap((uid) => (this.#platform.poolOf(uid) === pool ? (this.#platform.life(uid)?.echo() ?? []) : []));
  }
}
