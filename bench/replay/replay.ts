import { decide } from "../../pool-manager/pool/decide/decide.ts";
import type { DemandView, Pace, PoolSpec, World } from "../../pool-manager/pool/decide/world.ts";
import { IdlePlanner } from "../../pool-manager/pool/idling/idle-planner.ts";
import { LoadFailures } from "../../pool-manager/pool/observe/load-failures.ts";
import { RevisionTargets } from "../../pool-manager/pool/observe/revision-targets.ts";
import { PoolSizer } from "../../pool-manager/pool/pool-sizer.ts";
import { EventQueue } from "./event-queue.ts";
import { Fleet, POOL, type Simulated } from "./fleet.ts";
import { type Replayed, Tally } from "./outcome.ts";
import type { Policy } from "./policy.ts";
import { poolOf, type ReplayOptions } from "./replay-options.ts";
import { recordOf } from "./replayed-function.ts";
import type { Trace } from "./trace.ts";

/** How often a decision is due without an event: of two days each twenty seconds, of minutes as often as a pool manager decides. */
const tickMs = (lengthMs: number) => Math.max(250, Math.min(20_000, lengthMs / 8640));
/** How long invocations that wait at the end of the trace may wait. */
const LAST_WAIT_MS = 600_000;
/** Virtual time begins here: recorded times are of the wall clock. */
const BEGIN = Date.UTC(2026, 0, 1);
/** The pace of a machine with four cores. */
const PACE: Pace = { urgent: 4, refill: 1, refillDelayMs: 60, startTimeoutMs: 30_000, lostAfterMs: 5000, bindDelayMs: 0, bindAfterMs: 0 };

interface State {
  index: number;
  uid: string;
  /** Arrivals that wait. */
  waiting: number[];
  inFlight: number;
  ended: number;
  instances: Set<Simulated>;
}

type Event =
  | { kind: "tick" }
  | { kind: "recheck" }
  | { kind: "prewarmed"; instance: Simulated }
  | { kind: "loaded"; instance: Simulated }
  | { kind: "ended"; instance: Simulated; state: State };

/** Replays a trace under a policy: in virtual time, with the pool manager's own decisions. */
export class Replay {
  readonly #trace: Trace;
  readonly #options: ReplayOptions;
  readonly #states: State[];
  readonly #byUid = new Map<string, State>();
  readonly #events = new EventQueue<Event>();
  readonly #tally: Tally;
  readonly #fleet: Fleet;
  readonly #sizer: PoolSizer;
  readonly #planner: IdlePlanner;
  readonly #targets: RevisionTargets;
  #pool: PoolSpec;
  #now = BEGIN;
  #recheckAt = BEGIN;
  /** Functions with invocations. */
  readonly #active = new Set<State>();

  constructor(trace: Trace, policy: Policy, options: ReplayOptions) {
    this.#trace = trace;
    this.#options = options;
    const { max, concurrency } = options;
    this.#pool = poolOf(options);
    this.#tally = new Tally(trace.functions.length);
    this.#states = trace.functions.map((name, index) => ({ index, uid: name, waiting: [], inFlight: 0, ended: 0, instances: new Set() }));
    for (const state of this.#states) this.#byUid.set(state.uid, state);
    const records = new Map(trace.functions.map((name) => [name, recordOf(name, policy, { concurrency, max })]));
    const wall = () => this.#now;
    const choose = (_pool: string, chosen: { size: number; refills: number }) => {
      this.#pool = { ...this.#pool, ...chosen };
    };
    this.#sizer = new PoolSizer({ pools: { list: () => [this.#pool], choose }, pace: PACE, wall, onEvent() {} });
    const { recorder } = this.#sizer;
    const recordOfUid = (uid: string) => records.get(uid);
    this.#planner = new IdlePlanner({
      historyOf: (pool, now) => recorder.of(pool, now),
      histories: () => recorder.pools.values(),
      recordOf: recordOfUid,
      wall,
    });
    this.#targets = new RevisionTargets({
      functions: { byUid: recordOfUid, wanting: () => [], poolOf: () => POOL },
      failures: new LoadFailures(),
      trials: { isOpen: () => false, functions: () => [] },
      idling: this.#planner,
    });
    this.#fleet = new Fleet(BEGIN, options, {
      prewarmed: (instance, ms) => this.#events.add(this.#now + ms, { kind: "prewarmed", instance }),
      loaded: (instance, ms) => this.#events.add(this.#now + ms, { kind: "loaded", instance }),
    });
  }

  /** `progress` is told the share that is done, now and then. */
  run(progress: (share: number) => void = () => {}): Replayed {
    const { at, lengthMs } = this.#trace;
    this.#events.add(BEGIN, { kind: "tick" });
    let next = 0;
    const until = (end: number, isDone: () => boolean) => {
      while (!isDone()) {
        const arrival = next < at.length ? BEGIN + (at[next] as number) : Number.POSITIVE_INFINITY;
        const due = Math.min(arrival, this.#events.nextAt);
        if (due > end) break;
        this.#now = due;
        if (arrival <= this.#events.nextAt) this.#arrive(next++);
        else this.#happen(this.#events.take() as Event);
        if (next % 4096 === 0) progress((due - BEGIN) / lengthMs);
      }
      this.#now = end;
    };
    until(BEGIN + lengthMs, () => false);
    this.#fleet.advance(this.#now);
    const spentMs = { ...this.#fleet.spentMs };
    until(this.#now + LAST_WAIT_MS, () => this.#tally.invocations === at.length);
    return { tally: this.#tally, spentMs };
  }

  #arrive(invocation: number): void {
    const state = this.#states[this.#trace.of[invocation] as number] as State;
    const free = this.#freeOf(state);
    const wasIdle = state.inFlight + state.waiting.length === 0;
    if (free) this.#begin(state, free, invocation, "warm");
    else state.waiting.push(invocation);
    if (wasIdle) this.#report(state);
    if (!free) this.#step();
  }

  /** The instance with a free slot that was used last. */
  #freeOf(state: State): Simulated | null {
    let best: Simulated | null = null;
    for (const instance of state.instances) {
      const { view } = instance;
      if (view.state !== "warm" || view.inFlight >= this.#options.concurrency) continue;
      if (best === null || view.lastUsedAt > best.view.lastUsedAt) best = instance;
    }
    return best;
  }

  #begin(state: State, instance: Simulated, invocation: number, kind: "warm" | "prewarmed" | "cold"): void {
    const arrivedAt = BEGIN + (this.#trace.at[invocation] as number);
    this.#tally.served(state.index, kind, this.#now - arrivedAt);
    state.inFlight += 1;
    instance.view.inFlight += 1;
    instance.view.lastUsedAt = this.#now;
    this.#events.add(this.#now + (this.#trace.durationMs[invocation] as number), { kind: "ended", instance, state });
  }

  #happen(event: Event): void {
    if (event.kind === "ended") return this.#end(event.instance, event.state);
    if (event.kind === "tick") this.#events.add(this.#now + tickMs(this.#trace.lengthMs), event);
    if ("instance" in event) {
      if (event.instance.gone) return;
      if (event.kind === "prewarmed") this.#prewarmed(event.instance);
      else this.#loaded(event.instance);
    }
    this.#step();
  }

  #prewarmed({ view }: Simulated): void {
    Object.assign(view, { state: "prewarmed", readyAt: this.#now });
    this.#sizer.heard({ type: "instance.prewarmed", pool: POOL, instance: view.uid, ms: this.#now - view.createdAt });
  }

  #loaded(instance: Simulated): void {
    const { view } = instance;
    view.state = "warm";
    const state = this.#byUid.get(view.functionUid ?? "");
    if (state) this.#serveWaiting(state, instance, instance.start === "warm" ? "prewarmed" : instance.start);
  }

  #serveWaiting(state: State, instance: Simulated, kind: "warm" | "prewarmed" | "cold"): void {
    while (state.waiting.length > 0 && instance.view.inFlight < this.#options.concurrency) this.#begin(state, instance, state.waiting.shift() as number, kind);
  }

  #end(instance: Simulated, state: State): void {
    instance.view.inFlight -= 1;
    instance.view.lastUsedAt = this.#now;
    state.inFlight -= 1;
    state.ended += 1;
    if (!instance.gone) this.#serveWaiting(state, instance, "prewarmed");
    if (state.inFlight + state.waiting.length === 0) this.#report(state);
  }

  /** Tells the planner that a function has become busy or idle. */
  #report(state: State): void {
    const { uid, waiting, inFlight, ended } = state;
    if (waiting.length + inFlight > 0) this.#active.add(state);
    else this.#active.delete(state);
    const entry = { key: uid, revision: "r1", waiting: waiting.length, inFlight, oldestWaitMs: 0, ended, failed: 0, instances: [] };
    this.#planner.hear({ router: "replay", seq: 0, functions: [entry], suspects: [] });
  }

  #step(): void {
    this.#fleet.advance(this.#now);
    const world = this.#world();
    const decision = decide(world);
    this.#sizer.observe(world, decision);
    this.#options.onDecided?.(world, decision);
    for (const action of decision.actions) if (action.kind === "specialize") this.#given(action.functionUid, action.instance.uid);
    for (const instance of this.#fleet.execute(decision.actions, world)) this.#byUid.get(instance.view.functionUid ?? "")?.instances.delete(instance);
    if (decision.recheckAfterMs !== null && this.#recheckAt <= this.#now) {
      this.#recheckAt = this.#now + decision.recheckAfterMs;
      this.#events.add(this.#recheckAt, { kind: "recheck" });
    }
  }

  #given(functionUid: string, instanceUid: string): void {
    const instance = this.#fleet.instances.get(instanceUid);
    if (instance) this.#byUid.get(functionUid)?.instances.add(instance);
  }

  #world(): World {
    const now = this.#now;
    const instances = this.#fleet.views();
    const demand = new Map<string, DemandView>();
    for (const { uid, waiting, inFlight } of this.#active) {
      const oldest = waiting[0];
      const oldestWaitMs = oldest === undefined ? 0 : now - BEGIN - (this.#trace.at[oldest] as number);
      demand.set(uid, { waiting: waiting.length, inFlight, oldestWaitMs });
    }
    return {
      now,
      synced: true,
      pools: [this.#pool],
      functions: this.#targets.of(instances, demand, now),
      windowScales: new Map(),
      unknownFunctions: new Map(),
      instances,
      demand,
      isolated: false,
      expectedCreations: new Map(),
      disruptions: this.#fleet.disruptions(now, this.#pool.budget.windowMs),
      pace: PACE,
    };
  }
}
