import type { StartKind } from "../client/contract.ts";
import { wantedInstances } from "./scale.ts";
import type { Action, Decision, FunctionSpec, InstanceView, PoolSpec, RemoveReason, World } from "./state.ts";

/** Running invocations of a deleted function, or of an instance that has to go, get this long. Milliseconds. */
export const DELETE_GRACE_MS = 2000;
/** Nothing can run there any more. */
const NO_GRACE: ReadonlySet<RemoveReason> = new Set(["failed", "start-timeout"]);
/** A surplus prewarmed instance is kept this long before it is removed. Milliseconds. */
const SURPLUS_MS = 5000;

/**
 * What to do next, from what is observed, desired and demanded. Pure: the same world gives the same
 * decision. Nothing is decided while the world is not completely known.
 */
export function decide(world: World): Decision {
  if (!world.synced) return { actions: [], throttled: [], lookAgainMs: null };
  const parts = world.pools.map((pool) => new PoolDecision(world, pool).decide());
  return {
    actions: parts.flatMap((part) => part.actions),
    throttled: parts.flatMap((part) => part.throttled),
    lookAgainMs: parts.reduce<number | null>((least, { lookAgainMs }) => earlier(least, lookAgainMs), null),
  };
}

function earlier(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

interface Need {
  spec: FunctionSpec;
  missing: number;
  waiting: number;
  waitMs: number;
}

class PoolDecision {
  readonly #world: World;
  readonly #pool: PoolSpec;
  readonly #functions: Map<string, FunctionSpec>;
  readonly #alive: InstanceView[];
  /** Specializing and warm instances that stay, by function. */
  readonly #own = new Map<string, Set<InstanceView>>();
  readonly #actions: Action[] = [];
  readonly #removed = new Set<string>();
  #budget: number;
  #throttled = false;
  #lookAgainMs: number | null = null;

  constructor(world: World, pool: PoolSpec) {
    this.#world = world;
    this.#pool = pool;
    this.#functions = new Map(world.functions.filter((f) => f.pool === pool.name).map((f) => [f.uid, f]));
    this.#alive = world.instances.filter((instance) => instance.pool === pool.name);
    this.#budget = pool.budget.actions - (world.disruptions.get(pool.name) ?? 0);
    for (const instance of this.#usable()) {
      const serves = instance.state === "warm" || instance.state === "specializing";
      if (instance.functionUid && serves) this.#of(instance.functionUid).add(instance);
    }
  }

  decide(): Decision {
    this.#removeBroken();
    this.#reload();
    this.#bind();
    const unmet = this.#specialize(this.#needs());
    this.#reap(unmet);
    this.#removeIdle();
    this.#fill(total(unmet));
    return { actions: this.#actions, throttled: this.#throttled ? [this.#pool.name] : [], lookAgainMs: this.#lookAgainMs };
  }

  /** Instances that can no longer serve anyone, or serve someone they must not. */
  #removeBroken(): void {
    for (const instance of this.#alive) {
      const reason = instance.removing ? null : this.#broken(instance);
      if (reason) this.#remove(instance, reason, NO_GRACE.has(reason) ? 0 : DELETE_GRACE_MS);
    }
  }

  #broken(instance: InstanceView): RemoveReason | null {
    if (instance.state === "failed") return "failed";
    // Somebody else had it drained, perhaps our predecessor: nobody remembers to delete it.
    if (instance.state === "gone" || instance.state === "draining") return "drained";
    if (instance.boundTo && instance.functionUid && instance.boundTo !== instance.functionUid) return "misbound";
    if (instance.functionUid && !this.#functions.has(instance.functionUid)) return "deleted-function";
    if (instance.suspect) return "suspect";
    const age = this.#world.now - instance.createdAt;
    return instance.state === "starting" && age > this.#world.pace.startTimeoutMs ? "start-timeout" : null;
  }

  /** Warm instances of an older revision take the active one in place. */
  #reload(): void {
    for (const instance of this.#usable()) {
      const spec = instance.functionUid ? this.#functions.get(instance.functionUid) : undefined;
      if (!spec || instance.state !== "warm" || instance.revision === spec.revision) continue;
      if (this.#blocked(spec) || !this.#spend()) continue;
      this.#order(instance, spec, "warm");
    }
  }

  /** The platform's record follows what the instance says of itself. */
  #bind(): void {
    for (const instance of this.#usable()) {
      const { functionUid, revision, boundTo, boundRevision, binding, state } = instance;
      if (!functionUid || !revision || binding || state === "failed") continue;
      if (boundTo === null || (boundTo === functionUid && boundRevision !== revision)) {
        this.#actions.push({ kind: "bind", instance, functionUid, revision });
      }
    }
  }

  /** After a failed load only an invocation that asks for it is worth another try. */
  #blocked(spec: FunctionSpec): boolean {
    if (spec.blockedUntil > this.#world.now) return true;
    return spec.blockedUntil > 0 && (this.#world.demand.get(spec.uid)?.waiting ?? 0) === 0;
  }

  #needs(): Need[] {
    const needs: Need[] = [];
    for (const spec of this.#functions.values()) {
      const demand = this.#world.demand.get(spec.uid);
      if ((!demand && spec.minScale === 0) || this.#blocked(spec)) continue;
      const own = [...this.#of(spec.uid)];
      const onTheirWay = own.filter((instance) => instance.state === "specializing").length;
      const missing = wantedInstances(spec, demand, onTheirWay) - own.length;
      if (missing > 0) needs.push({ spec, missing, waiting: demand?.waiting ?? 0, waitMs: demand?.oldestWaitMs ?? 0 });
    }
    return needs.sort((a, b) => b.waitMs - a.waitMs);
  }

  /** One instance for each function first, the longest-waiting before the others; then the second ones. */
  #specialize(needs: Need[]): Need[] {
    const free = this.#usable()
      .filter((instance) => instance.state === "prewarmed" && instance.boundTo === null)
      .sort((a, b) => a.readyAt - b.readyAt);
    let open = [...needs];
    while (open.length > 0 && free.length > 0) {
      for (const need of open) {
        const instance = free.shift();
        if (!instance) break;
        const waitedSince = this.#world.now - need.waitMs;
        this.#order(instance, need.spec, instance.readyAt > waitedSince ? "cold" : "prewarmed");
        need.missing -= 1;
      }
      open = open.filter((need) => need.missing > 0);
    }
    return open;
  }

  /** At `max`, the longest-idle instance above its function's minScale makes room for a waiting function. */
  #reap(unmet: Need[]): void {
    const waiting = total(unmet.filter((need) => need.waiting > 0));
    const leaving = this.#alive.filter((instance) => this.#leaves(instance)).length;
    let short = waiting - this.#starting() - leaving - Math.max(this.#room(), 0);
    for (const instance of this.#idleFirst()) {
      if (short <= 0) return;
      if (this.#removeAboveMin(instance, "reaped")) short -= 1;
    }
  }

  #removeIdle(): void {
    for (const instance of this.#idleFirst()) {
      const spec = this.#functions.get(instance.functionUid as string) as FunctionSpec;
      const idleFor = this.#world.now - instance.lastUsedAt;
      if (this.#of(spec.uid).size > spec.maxScale) this.#remove(instance, "above-max-scale", spec.timeoutMs);
      else if (idleFor > spec.idleTimeoutMs) this.#removeAboveMin(instance, "idle");
    }
  }

  /** Creates for those who wait, then up to `size`; removes what is beyond both. */
  #fill(unmet: number): void {
    const { size, name } = this.#pool;
    const taken = new Set(this.#actions.flatMap((action) => (action.kind === "specialize" ? [action.instance.uid] : [])));
    const unbound = this.#usable().filter((instance) => isUnbound(instance) && !taken.has(instance.uid));
    const have = unbound.length + this.#expected();
    const goal = size + unmet;
    const pace = unmet > 0 ? this.#world.pace.urgent : this.#refillPace(have);
    const create = Math.max(0, Math.min(goal - have, this.#room(), pace - this.#starting()));
    // The platform counts by its own record: an instance that is claimed and not yet bound is still unbound there.
    const recorded = this.#world.instances.filter((i) => i.pool === name && i.boundTo === null && !i.deleting).length;
    if (create > 0) this.#actions.push({ kind: "scale", pool: name, replicas: recorded + this.#expected() + create, create });
    const surplus = unbound.filter((i) => i.state === "prewarmed" && this.#world.now - i.readyAt > SURPLUS_MS);
    for (const instance of surplus.slice(0, Math.max(0, have - goal))) this.#remove(instance, "pool-shrunk", 0);
  }

  /**
   * A refill competes with specializing for the processor: it goes one instance at a time, and waits until
   * that is done. Once less than half of the pool is left it no longer waits; an empty pool is urgent.
   */
  #refillPace(have: number): number {
    const { refill, urgent, refillDelayMs } = this.#world.pace;
    if (have === 0) return urgent;
    if (have < this.#pool.size / 2) return refill;
    const specializing = this.#alive.some((instance) => instance.state === "specializing");
    if (specializing || this.#actions.some((action) => action.kind === "specialize")) return 0;
    const quietFor = this.#world.now - Math.max(0, ...this.#alive.map((instance) => instance.specializedAt));
    if (quietFor >= refillDelayMs) return refill;
    this.#lookAgainMs = Math.max(1, refillDelayMs - quietFor);
    return 0;
  }

  #idleFirst(): InstanceView[] {
    return this.#usable()
      .filter((i) => i.state === "warm" && i.inFlight === 0 && i.functionUid && this.#functions.has(i.functionUid))
      .filter((instance) => (this.#world.demand.get(instance.functionUid as string)?.waiting ?? 0) === 0)
      .sort((a, b) => a.lastUsedAt - b.lastUsedAt);
  }

  #removeAboveMin(instance: InstanceView, reason: RemoveReason): boolean {
    const spec = this.#functions.get(instance.functionUid as string) as FunctionSpec;
    return this.#of(spec.uid).size > spec.minScale && this.#remove(instance, reason, spec.timeoutMs);
  }

  #order(instance: InstanceView, spec: FunctionSpec, start: StartKind): void {
    this.#actions.push({ kind: "specialize", instance, functionUid: spec.uid, revision: spec.revision, start });
  }

  #remove(instance: InstanceView, reason: RemoveReason, drainMs: number): boolean {
    if (this.#removed.has(instance.uid) || !this.#spend()) return false;
    this.#removed.add(instance.uid);
    if (instance.functionUid) this.#of(instance.functionUid).delete(instance);
    this.#actions.push({ kind: "remove", instance, reason, drainMs });
    return true;
  }

  #spend(): boolean {
    if (this.#budget <= 0) {
      this.#throttled = true;
      return false;
    }
    this.#budget -= 1;
    return true;
  }

  #starting(): number {
    return this.#usable().filter((instance) => instance.state === "starting").length + this.#expected();
  }

  #expected(): number {
    return this.#world.expectedCreations.get(this.#pool.name) ?? 0;
  }

  #leaves(instance: InstanceView): boolean {
    return instance.removing || instance.state === "draining" || instance.state === "gone" || this.#removed.has(instance.uid);
  }

  #usable(): InstanceView[] {
    return this.#alive.filter((instance) => !this.#leaves(instance));
  }

  #room(): number {
    return this.#pool.max - this.#alive.length - this.#expected();
  }

  #of(functionUid: string): Set<InstanceView> {
    const own = this.#own.get(functionUid) ?? new Set();
    this.#own.set(functionUid, own);
    return own;
  }
}

function total(needs: readonly Need[]): number {
  return needs.reduce((sum, need) => sum + need.missing, 0);
}

function isUnbound(instance: InstanceView): boolean {
  return instance.functionUid === null && (instance.state === "starting" || instance.state === "prewarmed");
}
