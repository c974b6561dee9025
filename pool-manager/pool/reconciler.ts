import { coalesced } from "../async/coalesced.ts";
import type { DemandReport, PoolManagerLink, TableChange } from "../client/contract.ts";
import { servedRevisions } from "../functions/function.ts";
import { Executor } from "./act/executor.ts";
import { decide } from "./decide/decide.ts";
import type { PoolSpec, World } from "./decide/world.ts";
import { LoadTrials } from "./load-trials.ts";
import { Demand } from "./observe/demand.ts";
import { Doubts } from "./observe/doubts.ts";
import { InvocationOutcomes } from "./observe/invocation-outcomes.ts";
import { LoadFailures } from "./observe/load-failures.ts";
import { RevisionTargets } from "./observe/revision-targets.ts";
import { type Knowledge, unknownFunctions, viewInstance } from "./observe/world-builder.ts";
import type { ReconcilerOptions } from "./options.ts";
import { InstanceEvents } from "./publish/instance-events.ts";
import { MissedRouters } from "./publish/missed-routers.ts";
import { PoolView } from "./publish/pool-view.ts";
import { TablePublisher } from "./publish/table-publisher.ts";
import { RolloutDriver } from "./rollout-driver.ts";
import { FunctionWindows } from "./scaling/function-windows.ts";
import { usedPools } from "./used-pools.ts";

/** The loop looks again after this time even if nothing was reported: everything is level-triggered. */
const RESYNC_MS = 500;

/**
 * Reads everything, decides, acts, and returns: woken by changes of instances, functions and demand,
 * and by time. Holds no truth of its own but the writes that are not observed yet.
 */
export class Reconciler implements PoolManagerLink {
  readonly #options: ReconcilerOptions;
  readonly #demand = new Demand();
  readonly #failures = new LoadFailures();
  readonly #outcomes: InvocationOutcomes;
  readonly #rollouts: RolloutDriver;
  readonly #specs: RevisionTargets;
  readonly #missedRouters = new MissedRouters();
  readonly #doubts: Doubts;
  readonly #executor: Executor;
  readonly #instanceEvents: InstanceEvents;
  readonly #publisher: TablePublisher;
  readonly reports: PoolView;
  readonly windows = new FunctionWindows();
  readonly trials: LoadTrials;
  readonly #stepSoon: () => void;
  /** The platform has been listed completely, and its instances have had time to say what they serve. */
  #started = false;
  #closed = false;
  #cancelTimer: () => void = () => {};
  #unwatch: () => void = () => {};

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#stepSoon = coalesced(options.clock, () => !this.#closed && this.#step());
    this.#doubts = new Doubts((pool, message) => options.onEvent({ type: "observation.doubted", pool, message }));
    this.#outcomes = new InvocationOutcomes(options.clock.now());
    this.#executor = new Executor(
      options,
      () => this.poke(),
      (functionUid, revision, error) => this.#undeliverable(functionUid, revision, error),
    );
    this.#publisher = new TablePublisher(options, this.#executor, this.#failures, this.#demand);
    this.reports = new PoolView(options, this.#executor, this.#failures, this.#outcomes);
    this.#instanceEvents = new InstanceEvents(options, this.#executor, this.#failures, this.#outcomes, (change) => this.#publisher.tell(change));
    const { functions, clock, onEvent, idling, schedules } = options;
    this.trials = new LoadTrials({
      clock,
      recordOf: (uid) => functions.byUid(uid),
      readiness: () => this.reports.readiness(),
      begun: (functionUid, revision) => {
        this.#failures.clear(functionUid, revision);
        this.poke();
      },
    });
    this.#specs = new RevisionTargets({ functions, failures: this.#failures, trials: this.trials, idling, schedules });
    const { attempts } = this.#executor;
    this.#rollouts = new RolloutDriver({ functions, clock, onEvent, attempts, check: (record, to) => this.reports.rolloutOf(record, to) });
  }

  async start(): Promise<void> {
    this.#rollouts.start();
    this.#unwatch = this.#options.platform.watch((uid) => this.#instanceChanged(uid));
    await this.#options.platform.start();
    this.#started = true;
    this.#publisher.open();
    this.poke();
  }

  close(): void {
    this.#closed = true;
    this.#rollouts.close();
    this.trials.close();
    this.#cancelTimer();
    this.#unwatch();
  }

  subscribe(listener: (change: TableChange) => void): () => void {
    return this.#publisher.subscribe(listener);
  }

  report(report: DemandReport): void {
    const now = this.#options.clock.now();
    for (const listener of [this.#demand, this.#outcomes]) listener.hear(report, now);
    this.#options.idling?.hear(report);
    this.poke();
  }

  /** Nothing is kept for it any more. */
  routerEnded(id: string): void {
    this.#demand.hearing.ended(id);
    this.poke();
  }

  /** Embedded there is no other router. */
  leave(): void {}

  /** A function was deployed, changed or deleted. */
  functionChanged(uid: string): void {
    const record = this.#options.functions.byUid(uid);
    if (record) this.#publisher.publish(record);
    else this.#publisher.retain(uid, []);
    if (!record) this.#executor.incidents.forget(uid);
    const served = new Set(record ? servedRevisions(record).map(({ id }) => id) : []);
    this.#failures.retain(uid, served);
    this.#outcomes.retain(uid, served);
    this.trials.changed();
    this.poke();
  }

  /** Asks for a step; several wishes become one. Before the first complete view there is none. */
  poke(): void {
    if (!this.#closed && this.#started) this.#stepSoon();
  }

  /** One round: observe, decide, act. */
  #step(): void {
    this.#cancelTimer();
    const { platform, clock } = this.#options;
    const { instances } = platform.observe();
    this.#options.pools.observe?.(new Set([...instances.values()].map(({ pool }) => pool)));
    this.#demand.retain(instances);
    for (const event of this.#missedRouters.check(this.#demand, clock.now())) this.#options.onEvent(event);
    this.#doubt();
    this.#instanceEvents.obstacles(instances.values(), clock.now());
    const paused = new Set(this.#pools().flatMap(({ name, paused }) => (paused ? [name] : [])));
    this.#executor.observe(instances, (pool) => paused.has(pool), clock.now());
    const seen = this.view();
    const world = { ...seen, windowScales: this.windows.observe(seen) };
    this.reports.saw(world);
    this.#publisher.tellBlocked(world);
    const decision = decide(world);
    this.#options.onDecided?.(world, decision);
    for (const pool of decision.throttled) this.#options.onEvent({ type: "budget.exhausted", pool });
    for (const uid of this.#executor.execute(decision.actions, world)) this.#kept(uid);
    for (const action of decision.actions) {
      if (action.kind === "remove" && action.instance.functionUid) this.#publisher.publishUid(action.instance.functionUid);
    }
    const dueInMs = Math.min(decision.recheckAfterMs ?? RESYNC_MS, this.#options.schedules?.dueInMs() ?? RESYNC_MS, RESYNC_MS);
    this.#cancelTimer = this.#options.clock.after(dueInMs, () => this.poke());
  }

  /** Its removal was never carried out, and is not wanted any more: it is served again. */
  #kept(uid: string): void {
    const instance = this.#options.platform.observe().instances.get(uid);
    const functionUid = instance?.echo?.functionUid ?? instance?.binding?.functionUid ?? null;
    this.#options.onEvent({ type: "instance.kept", pool: this.#executor.poolOf(uid), instance: uid, function: functionUid });
    if (functionUid) this.#publisher.publishUid(functionUid);
  }

  #doubt(): void {
    const { platform, clock, pools } = this.#options;
    const observed = platform.observe();
    if (!observed.synced) return;
    this.#doubts.check(pools.list(), {
      instances: observed.instances,
      counted: observed.counted?.(),
      isLeaving: (uid) => this.#executor.isLeaving(uid),
      expected: this.#executor.expectations.creations(),
      now: clock.now(),
    });
  }

  #pools(): PoolSpec[] {
    return this.#doubts.pausing(usedPools(this.#options.pools.list(), this.#options.functions));
  }

  /** Why what is observed of a pool is not believed; null: it is. */
  doubtOf(pool: string): string | null {
    return this.#doubts.of(pool);
  }

  /** The world as the next decision will see it; looking at it changes nothing. */
  view(): World {
    const { platform, clock, functions, pace } = this.#options;
    const now = clock.now();
    const { synced, instances } = platform.observe();
    const { hearing } = this.#demand;
    const known: Knowledge = {
      now,
      routers: hearing.isDeaf(now) ? "deaf" : hearing.anybody ? "heard" : "never",
      expectations: this.#executor.expectations,
      uses: this.#demand.byInstance(now),
      suspects: this.#demand.suspects(now),
      isLeaving: (uid) => this.#executor.isLeaving(uid),
      isRefused: (uid) => this.#executor.removals.isRefused(uid),
      isSilent: (uid) => this.#executor.isSilent(uid),
      isBinding: (uid) => this.#executor.isBinding(uid),
      specializedAt: (uid) => this.#executor.starts.of(uid)?.at ?? 0,
    };
    const pools = this.#pools();
    const views = [...instances.values()].map((instance) => viewInstance(instance, known));
    const demand = this.#demand.byFunction(now);
    return {
      now,
      synced,
      pools,
      functions: this.#specs.of(views, demand, now),
      unknownFunctions: unknownFunctions(instances.values(), functions),
      instances: views,
      demand,
      windowScales: this.windows.scales,
      isolated: !hearing.isAnybodyHeard(now) && ![...instances.values()].some(({ echo, obstacle }) => echo !== null && obstacle === null),
      expectedCreations: this.#executor.expectations.creations(),
      disruptions: new Map(pools.map((p) => [p.name, this.#executor.removals.disruptions.count(p.name, p.budget.windowMs, now)])),
      pace,
    };
  }

  #instanceChanged(uid: string): void {
    const instance = this.#options.platform.observe().instances.get(uid);
    if (instance) this.#instanceEvents.check(instance);
    else this.#instanceEvents.gone(uid);
    if (instance?.echo) this.#executor.starts.accepted(uid, instance.echo.epoch, this.#options.clock.now());
    const functionUid = instance?.echo?.functionUid ?? this.#executor.starts.of(uid)?.functionUid;
    if (functionUid) this.#publisher.publishUid(functionUid);
    if (functionUid) this.#rollouts.instanceChanged(functionUid);
    this.trials.changed();
    if (!instance) this.#executor.forget(uid);
    this.poke();
  }

  #undeliverable(functionUid: string, revision: string, { message }: Error): void {
    const error = { reason: "load" as const, message, revision };
    this.#failures.record(functionUid, revision, `undeliverable/${this.#options.clock.now()}`, "", error, this.#options.clock.now());
    this.#publisher.publishUid(functionUid);
  }
}
