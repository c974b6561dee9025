import type { StartKind } from "../../pool-manager/client/contract.ts";
import type { Action, InstanceView, World } from "../../pool-manager/pool/decide/world.ts";
import { createdInstance } from "../../pool-manager/pool/observe/world-builder.ts";

export const POOL = "node";

/** How long a platform takes, in milliseconds. */
export interface Speeds {
  /** From the creation of an instance until it is prewarmed. */
  createMs: number;
  /** From a load order until the function serves. */
  loadMs: number;
}

/** An instance in virtual time. */
export interface Simulated {
  view: InstanceView;
  /** The start that its load order was. */
  start: StartKind;
  gone: boolean;
}

/** Called by the fleet when it has begun something that ends later. */
export interface FleetEvents {
  prewarmed(instance: Simulated, afterMs: number): void;
  loaded(instance: Simulated, afterMs: number): void;
}

/** The instances of one pool, and the time that they have taken. Carries out decisions at once. */
export class Fleet {
  readonly instances = new Map<string, Simulated>();
  /** Milliseconds of all instances, and of those that a function has, up to the last `advance`. */
  spentMs = { all: 0, owned: 0 };
  #owned = 0;
  #advancedTo: number;
  #created = 0;
  #removals: number[] = [];
  readonly #speeds: Speeds;
  readonly #events: FleetEvents;

  constructor(now: number, speeds: Speeds, events: FleetEvents) {
    this.#advancedTo = now;
    this.#speeds = speeds;
    this.#events = events;
  }

  advance(now: number): void {
    const ms = now - this.#advancedTo;
    this.#advancedTo = now;
    this.spentMs.all += ms * this.instances.size;
    this.spentMs.owned += ms * this.#owned;
  }

  views(): InstanceView[] {
    return [...this.instances.values()].map(({ view }) => view);
  }

  /** The number of removals within the window of the pool's budget. */
  disruptions(now: number, windowMs: number): ReadonlyMap<string, number> {
    this.#removals = this.#removals.filter((at) => now - at <= windowMs);
    return new Map([[POOL, this.#removals.length]]);
  }

  execute(actions: readonly Action[], { now }: Pick<World, "now">): Simulated[] {
    const removed: Simulated[] = [];
    for (const action of actions) {
      if (action.kind === "scale") for (let i = 0; i < action.create; i++) this.#create(now);
      else if (action.kind === "specialize") this.#specialize(action, now);
      else if (action.kind === "bind") Object.assign(action.instance, { boundTo: action.functionUid, boundRevision: action.revision });
      else removed.push(...this.#remove(action.instance.uid, now));
    }
    return removed;
  }

  #create(now: number): void {
    const uid = `i${++this.#created}`;
    const view = createdInstance(uid, POOL, now);
    const instance: Simulated = { view, start: "cold", gone: false };
    this.instances.set(uid, instance);
    this.#events.prewarmed(instance, this.#speeds.createMs);
  }

  #specialize({ instance: { uid }, functionUid, revision, start }: Extract<Action, { kind: "specialize" }>, now: number): void {
    const instance = this.instances.get(uid);
    if (!instance) return;
    if (instance.view.functionUid === null) this.#owned += 1;
    Object.assign(instance.view, { state: "specializing", functionUid, revision, specializedAt: now, lastUsedAt: now });
    instance.view.epoch += 1;
    instance.start = start;
    this.#events.loaded(instance, this.#speeds.loadMs);
  }

  #remove(uid: string, now: number): Simulated[] {
    const instance = this.instances.get(uid);
    if (!instance) return [];
    this.instances.delete(uid);
    instance.gone = true;
    if (instance.view.functionUid !== null) this.#owned -= 1;
    this.#removals.push(now);
    return [instance];
  }
}
