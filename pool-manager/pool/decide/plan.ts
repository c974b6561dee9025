import type { StartKind } from "../../client/contract.ts";
import { holdsPlace } from "../../platform/platform.ts";
import { isLost, isUnheard } from "./liveness.ts";
import { type Renewal, renewalOf } from "./renewal-policy.ts";
import { neededInstances, wantedInstances } from "./wanted-instances.ts";
import type { Action, Decision, InstanceView, PoolSpec, RemoveReason, RevisionTarget, Unmet, World } from "./world.ts";

/** An instance pending for longer than this needs another node, or the removal of another pod. */
const NODE_WAIT_MS = 3000;

/** The working state of one pool's decision: its instances, those that earlier steps used or removed, and the resulting actions. */
export class Plan {
  readonly world: World;
  readonly pool: PoolSpec;
  /** Active revisions by function, of the functions that have an instance or a served revision in this pool. */
  readonly functions = new Map<string, RevisionTarget>();
  /** All served revisions of the pool, by function and revision. */
  readonly served = new Map<string, RevisionTarget>();
  /** Revisions that a rollout moves instances to, of the same functions. */
  readonly rolling = new Map<string, RevisionTarget>();
  /** Served revisions of the same functions whose instances come from other pools, by function and revision. */
  readonly #elsewhere = new Map<string, RevisionTarget>();
  /** All instances of the pool. */
  readonly alive: readonly InstanceView[];
  readonly renewal: Renewal;
  /** Specializing and warm instances that stay, by the key of the revision that they serve or will serve. */
  readonly #own = new Map<string, Set<InstanceView>>();
  readonly #actions: Action[] = [];
  readonly #removed = new Set<string>();
  /** Instances that get a load order in this decision. */
  readonly #ordered = new Set<string>();
  #budget: number;
  #throttled = false;

  constructor(world: World, pool: PoolSpec) {
    this.world = world;
    this.pool = pool;
    this.alive = world.instances.filter((instance) => instance.pool === pool.name);
    this.#serveAll(world.functions);
    this.renewal = renewalOf(pool, this.alive, world.pace);
    this.#budget = pool.budget.actions - (world.disruptions.get(pool.name) ?? 0);
    for (const instance of this.usable()) {
      const serves = instance.state === "warm" || instance.state === "specializing";
      const spec = serves ? this.specOf(instance.functionUid, instance.revision) : undefined;
      // An instance of a retired revision will be updated in place to the spec's, unless the pool is paused or the revision is an image.
      if (spec && (spec.revision === instance.revision || !(pool.paused || spec.byImage))) this.of(spec).add(instance);
    }
    if (this.#elsewhere.size > 0) this.#countElsewhere();
  }

  #serveAll(targets: readonly RevisionTarget[]): void {
    const here = new Set(this.alive.map(({ functionUid, boundTo }) => functionUid ?? boundTo));
    for (const spec of targets) if (this.has(spec)) here.add(spec.uid);
    for (const spec of targets) {
      if (!here.has(spec.uid)) continue;
      (this.has(spec) ? this.served : this.#elsewhere).set(`${spec.uid} ${spec.revision}`, spec);
      if (spec.active) this.functions.set(spec.uid, spec);
      if (spec.takesOver) this.rolling.set(spec.uid, spec);
    }
  }

  /** Instances of revisions that other pools serve: a rollout may move a function from one pool to another. */
  #countElsewhere(): void {
    for (const instance of this.world.instances) {
      const { functionUid, revision, state, removing } = instance;
      const spec = this.#elsewhere.get(`${functionUid} ${revision}`);
      if (spec?.pool === instance.pool && !removing && (state === "warm" || state === "specializing")) this.of(spec).add(instance);
    }
  }

  /** Whether instances of the revision come from this pool. */
  has({ pool }: RevisionTarget): boolean {
    return pool === this.pool.name;
  }

  /** The target of a revision whose instances come from another pool. */
  elsewhere(functionUid: string, revision: string | null): RevisionTarget | undefined {
    return this.#elsewhere.get(`${functionUid} ${revision}`);
  }

  /** `recheckAfterMs`: the delay after which a further decision is due; null if none is known. */
  decision(recheckAfterMs: number | null, unmet: Unmet[]): Decision {
    return { actions: this.#actions, unmet, throttled: this.#throttled ? [this.pool.name] : [], recheckAfterMs };
  }

  /** The target of the revision if it is served, otherwise that of the function's active one; undefined: instances of neither come from this pool. */
  specOf(functionUid: string | null, revision: string | null): RevisionTarget | undefined {
    if (functionUid === null) return undefined;
    const own = this.served.get(`${functionUid} ${revision}`);
    if (own || this.#elsewhere.has(`${functionUid} ${revision}`)) return own;
    const active = this.functions.get(functionUid);
    return active && this.has(active) ? active : undefined;
  }

  /** A revision's instances; the caller may change the set. */
  of({ key }: RevisionTarget): Set<InstanceView> {
    const own = this.#own.get(key) ?? new Set();
    this.#own.set(key, own);
    return own;
  }

  /** The number of instances that a revision should have; `onTheirWay` of its instances are loading. */
  wanted(spec: RevisionTarget, onTheirWay = 0): number {
    const { demand, windowScales } = this.world;
    return wantedInstances(spec, demand.get(spec.key), onTheirWay, windowScales.get(spec.key));
  }

  /** The number of instances that a revision should have if nothing were kept for nobody. */
  needed(spec: RevisionTarget, onTheirWay = 0): number {
    return neededInstances(spec, this.world.demand.get(spec.key), onTheirWay);
  }

  /** True during the backoff after a failed load; afterwards, only a waiting invocation causes a retry. */
  isBlocked(spec: RevisionTarget): boolean {
    if (spec.blockedUntil > this.world.now) return true;
    return spec.blockedUntil > 0 && (this.world.demand.get(spec.key)?.waiting ?? 0) === 0;
  }

  leaves(instance: InstanceView): boolean {
    return instance.removing || instance.state === "draining" || instance.state === "gone" || this.#removed.has(instance.uid);
  }

  /** Instances that stay. */
  usable(): InstanceView[] {
    return this.alive.filter((instance) => !this.leaves(instance));
  }

  /** Instances that can accept a load order now. */
  free(): InstanceView[] {
    return this.usable().filter((instance) => isFree(instance) && !this.#ordered.has(instance.uid));
  }

  isOrdered({ uid }: InstanceView): boolean {
    return this.#ordered.has(uid);
  }

  get anyOrdered(): boolean {
    return this.#ordered.size > 0;
  }

  /** The number of further instances that the pool's `max` allows. */
  room(): number {
    return this.pool.max - this.alive.filter(holdsPlace).length - this.expected();
  }

  /** The number of instances that will soon be prewarmed. */
  starting(): number {
    const { world } = this;
    const comes = (instance: InstanceView) =>
      instance.state === "starting" && !this.#waitsForNode(instance) && !isLost(instance, world) && !isUnheard(instance, world);
    return this.usable().filter(comes).length + this.expected();
  }

  /** True if instances have been pending for longer than `NODE_WAIT_MS`. */
  get nodesAreFull(): boolean {
    return this.usable().some((instance) => this.#waitsForNode(instance));
  }

  #waitsForNode({ obstacle }: InstanceView): boolean {
    return obstacle?.kind === "pending" && this.world.now - obstacle.since > NODE_WAIT_MS;
  }

  /** The number of instances requested and not yet observed. */
  expected(): number {
    return this.world.expectedCreations.get(this.pool.name) ?? 0;
  }

  do(action: Action): void {
    this.#actions.push(action);
  }

  order(instance: InstanceView, spec: RevisionTarget, start: StartKind): void {
    this.#ordered.add(instance.uid);
    this.do({ kind: "specialize", instance, functionUid: spec.uid, revision: spec.revision, start });
  }

  /** Returns false if the budget does not allow the removal now, the pool is paused, or the instance is already removed. */
  remove(instance: InstanceView, reason: RemoveReason, drainMs: number): boolean {
    if (this.#removed.has(instance.uid) || this.pool.paused || !(instance.refused || this.spend())) return false;
    this.#removed.add(instance.uid);
    const spec = this.specOf(instance.functionUid, instance.revision);
    if (spec) this.of(spec).delete(instance);
    this.do({ kind: "remove", instance, reason, drainMs });
    return true;
  }

  /** Charges one disruptive action to the budget. Returns false if none is left or the pool is paused. */
  spend(): boolean {
    if (this.pool.paused) return false;
    if (this.#budget <= 0) {
      this.#throttled = true;
      return false;
    }
    this.#budget -= 1;
    return true;
  }
}

/** True if it is prewarmed, unbound and reachable. */
export function isFree({ state, boundTo, obstacle }: InstanceView): boolean {
  return state === "prewarmed" && boundTo === null && obstacle === null;
}
