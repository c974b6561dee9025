import type { Decision, World } from "../decide/world.ts";
import type { RefillPace } from "../sizing/refill-line.ts";
import { PoolHistory } from "./pool-history.ts";

/** How often the number of each function's instances and invocations is sampled. */
const SAMPLE_MS = 1000;
/** A longer pause between samples was no service: the process or the machine stood still. */
const LONGEST_SAMPLE_MS = 60_000;

/** The claims of one decision of a function in one pool: its revisions may have different ones. */
interface Claims {
  uid: string;
  pool: string;
  hits: number;
  misses: number;
  /** Instances that it lacks still. */
  unmet: number;
}

/**
 * Records the claims that decisions show. A claim is recorded when an instance is first missing, not when one has become
 * free for it: the bursts that a pool could not serve would otherwise look like claims at the pace of its refills. An order
 * that an instance refuses is given again, and counts again.
 */
export class ClaimRecorder {
  readonly pools = new Map<string, PoolHistory>();
  /** Instances that each function lacked in each pool after the last decision. */
  #unmet = new Map<string, number>();
  #sampledAt: number | null = null;

  /** The pool's history, which begins with this call if there is none. */
  of(pool: string, now: number): PoolHistory {
    const history = this.pools.get(pool) ?? new PoolHistory(now);
    this.pools.set(pool, history);
    return history;
  }

  /** `now` is of the wall clock. */
  observe(world: World, decision: Decision, now: number, paceOf: (pool: string) => RefillPace): void {
    if (!world.synced) return;
    for (const { name } of world.pools) this.of(name, now).advance(now);
    const claims = claimsOf(decision);
    const own = claims.size > 0 || this.#isSampleDue(now) ? ownInstances(world) : new Map<string, number>();
    for (const [key, claim] of claims) this.#record(key, claim, own.get(claim.uid) ?? 0, now, paceOf(claim.pool));
    this.#unmet = new Map([...claims].flatMap(([key, { unmet }]) => (unmet > 0 ? [[key, unmet]] : [])));
    this.#sample(world, own, now);
  }

  /** An instance of the pool became prewarmed after `ms`. */
  refilled(pool: string, ms: number, now: number): void {
    this.of(pool, now).refilled(now, ms);
  }

  forget(functionUid: string): void {
    for (const { functions, idle } of this.pools.values()) {
      functions.delete(functionUid);
      idle.delete(functionUid);
    }
  }

  #record(key: string, { uid, pool, hits, misses, unmet }: Claims, own: number, now: number, pace: RefillPace): void {
    const waited = this.#unmet.get(key) ?? 0;
    const came = Math.max(0, hits + misses + unmet - waited);
    const history = this.of(pool, now);
    if (came + hits + misses === 0) return;
    const functionHistory = history.claimant(uid);
    for (let i = 0; i < came; i++) {
      history.claimed(now, pace);
      functionHistory.claimed(now, own + waited + i);
    }
    for (let i = 0; i < hits + misses; i++) {
      history.served(now, i < hits);
      functionHistory.served(now, i < hits);
    }
  }

  #isSampleDue(now: number): boolean {
    return this.#sampledAt === null || now < this.#sampledAt || now - this.#sampledAt >= SAMPLE_MS;
  }

  #sample(world: World, own: ReadonlyMap<string, number>, now: number): void {
    if (!this.#isSampleDue(now)) return;
    const ms = this.#sampledAt === null ? 0 : Math.min(Math.max(0, now - this.#sampledAt), LONGEST_SAMPLE_MS);
    this.#sampledAt = now;
    if (ms === 0) return;
    const loads = concurrentInvocations(world);
    for (const { functions } of this.pools.values()) {
      for (const [uid, history] of functions) {
        const count = own.get(uid) ?? 0;
        const concurrent = loads.get(uid) ?? 0;
        if (count > 0) history.had(now, count, ms);
        if (concurrent > 0) history.loaded(now, concurrent, ms);
      }
    }
  }
}

function claimsOf({ actions, unmet }: Decision): Map<string, Claims> {
  const claims = new Map<string, Claims>();
  const of = (uid: string, pool: string) => {
    const key = `${uid} ${pool}`;
    const known = claims.get(key) ?? { uid, pool, hits: 0, misses: 0, unmet: 0 };
    claims.set(key, known);
    return known;
  };
  for (const action of actions) {
    // A change in place takes no instance of the pool.
    if (action.kind !== "specialize" || action.start === "warm") continue;
    const claim = of(action.functionUid, action.instance.pool);
    if (action.start === "prewarmed") claim.hits += 1;
    else claim.misses += 1;
  }
  for (const { functionUid, pool, missing } of unmet) of(functionUid, pool).unmet += missing;
  return claims;
}

/** The number of waiting and running invocations of each function. */
function concurrentInvocations({ functions, demand }: World): Map<string, number> {
  const loads = new Map<string, number>();
  for (const { key, uid } of functions) {
    const { waiting = 0, inFlight = 0 } = demand.get(key) ?? {};
    loads.set(uid, (loads.get(uid) ?? 0) + waiting + inFlight);
  }
  return loads;
}

/** The number of instances that serve each function or are about to. */
function ownInstances({ instances }: World): Map<string, number> {
  const own = new Map<string, number>();
  for (const { functionUid, state, removing } of instances) {
    if (functionUid === null || removing || (state !== "warm" && state !== "specializing")) continue;
    own.set(functionUid, (own.get(functionUid) ?? 0) + 1);
  }
  return own;
}
