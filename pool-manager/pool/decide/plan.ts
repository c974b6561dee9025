import type { StartKind } from "../../client/contract.ts";
import { holdsPlace } from "../../platform/platform.ts";
import { isLost, isUnheard } from "./liveness.ts";
import { type Renewal, renewalOf } from "./renewal-policy.ts";
import type { Action, Decision, InstanceView, PoolSpec, RemoveReason, RevisionTarget, World } from "./world.ts";

/** A pod that has waited this long for a node waits for one to be added, or for another pod to go. */
const NODE_WAIT_MS = 3000;

/** One pool while it is decided upon: what is there, what each step has taken or given up of it, and what is to be done. */
export class Plan {
  readonly world: World;
  readonly pool: PoolSpec;
  /** Active revisions by function. */
  readonly functions = new Map<string, RevisionTarget>();
  /** All served ones, by function and revision. */
  readonly served = new Map<string, RevisionTarget>();
  /** Revisions that take over, by function. */
  readonly rolling = new Map<string, RevisionTarget>();
  /** All instances of the pool. */
  readonly alive: readonly InstanceView[];
  readonly renewal: Renewal;
  /** Specializing and warm instances that stay, by what they serve or are about to. */
  readonly #own = new Map<string, Set<InstanceView>>();
  readonly #actions: Action[] = [];
  readonly #removed = new Set<string>();
  /** Instances that get a load order now. */
  readonly #ordered = new Set<string>();
  #budget: number;
  #throttled = false;
  /** Milliseconds after which something will be due; null: nothing is known to be. */
  recheckAfterMs: number | null = null;

  constructor(world: World, pool: PoolSpec) {
    this.world = world;
    this.pool = pool;
    for (const spec of world.functions) if (spec.pool === pool.name) this.#serve(spec);
    this.alive = world.instances.filter((instance) => instance.pool === pool.name);
    this.renewal = renewalOf(pool, this.alive, world.pace);
    this.#budget = pool.budget.actions - (world.disruptions.get(pool.name) ?? 0);
    for (const instance of this.usable()) {
      const serves = instance.state === "warm" || instance.state === "specializing";
      const spec = serves ? this.specOf(instance.functionUid, instance.revision) : undefined;
      // One of an older revision is about to be the spec's, unless it has to stay as it is.
      if (spec && (spec.revision === instance.revision || !pool.paused)) this.of(spec).add(instance);
    }
  }

  #serve(spec: RevisionTarget): void {
    this.served.set(`${spec.uid} ${spec.revision}`, spec);
    if (spec.active) this.functions.set(spec.uid, spec);
    if (spec.takesOver) this.rolling.set(spec.uid, spec);
  }

  get decision(): Decision {
    return { actions: this.#actions, throttled: this.#throttled ? [this.pool.name] : [], recheckAfterMs: this.recheckAfterMs };
  }

  /** Of the revision, where it is served; else of the function's active one. */
  specOf(functionUid: string | null, revision: string | null): RevisionTarget | undefined {
    return functionUid === null ? undefined : (this.served.get(`${functionUid} ${revision}`) ?? this.functions.get(functionUid));
  }

  /** A revision's instances; steps move them among revisions. */
  of({ key }: RevisionTarget): Set<InstanceView> {
    const own = this.#own.get(key) ?? new Set();
    this.#own.set(key, own);
    return own;
  }

  /** After a failed load only an invocation that asks for it is worth another try. */
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

  /** Instances that can take a function in now. */
  free(): InstanceView[] {
    return this.usable().filter((instance) => isFree(instance) && !this.#ordered.has(instance.uid));
  }

  isOrdered({ uid }: InstanceView): boolean {
    return this.#ordered.has(uid);
  }

  get anyOrdered(): boolean {
    return this.#ordered.size > 0;
  }

  /** Instances that the pool's `max` still allows. */
  room(): number {
    return this.pool.max - this.alive.filter(holdsPlace).length - this.expected();
  }

  /** Instances that will be prewarmed before long. */
  starting(): number {
    const { world } = this;
    const comes = (instance: InstanceView) =>
      instance.state === "starting" && !this.#waitsForNode(instance) && !isLost(instance, world) && !isUnheard(instance, world);
    return this.usable().filter(comes).length + this.expected();
  }

  /** No node has room: instances have waited for one for some time. */
  get nodesAreFull(): boolean {
    return this.usable().some((instance) => this.#waitsForNode(instance));
  }

  #waitsForNode({ obstacle }: InstanceView): boolean {
    return obstacle?.kind === "pending" && this.world.now - obstacle.since > NODE_WAIT_MS;
  }

  /** Asked for, and not seen yet. */
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

  /** False: the budget does not allow it now. */
  remove(instance: InstanceView, reason: RemoveReason, drainMs: number): boolean {
    if (this.#removed.has(instance.uid) || this.pool.paused || !(instance.refused || this.spend())) return false;
    this.#removed.add(instance.uid);
    const spec = this.specOf(instance.functionUid, instance.revision);
    if (spec) this.of(spec).delete(instance);
    this.do({ kind: "remove", instance, reason, drainMs });
    return true;
  }

  /** Takes one disruptive action out of the budget, if it has one left. */
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

/** It is prewarmed, nobody's, and can be reached. */
export function isFree({ state, boundTo, obstacle }: InstanceView): boolean {
  return state === "prewarmed" && boundTo === null && obstacle === null;
}
