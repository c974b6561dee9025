import type { DemandReport, PoolManagerLink, TableChange } from "../client/contract.ts";
import { activeRevision, type FunctionRecord } from "../functions/function.ts";
import type { Instance } from "../platform/platform.ts";
import { decide } from "./decide.ts";
import { Demand } from "./demand.ts";
import { Executor } from "./executor.ts";
import { TableFeed } from "./feed.ts";
import { LoadFailures } from "./load-failures.ts";
import { type Knowledge, specOf, viewInstance } from "./observe.ts";
import type { ReconcilerOptions } from "./options.ts";
import type { Decision, World } from "./state.ts";
import { tableFunction } from "./table.ts";

/** The loop looks again after this time even if nothing was reported: everything is level-triggered. */
const RESYNC_MS = 500;

/**
 * Reads everything, decides, acts, and returns: woken by changes of instances, functions and demand,
 * and by time. Holds no truth of its own but the writes that are not observed yet.
 */
export class Reconciler implements PoolManagerLink {
  readonly #options: ReconcilerOptions;
  readonly #demand = new Demand();
  readonly #feed = new TableFeed();
  readonly #failures = new LoadFailures();
  readonly #executor: Executor;
  /** Echo state of each instance as it was last noticed. */
  readonly #noticed = new Map<string, string>();
  #scheduled = false;
  #closed = false;
  #cancelTimer: () => void = () => {};
  #unwatch: () => void = () => {};

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#executor = new Executor(
      options,
      () => this.poke(),
      (functionUid, revision, error) => this.#undeliverable(functionUid, revision, error),
    );
  }

  async start(): Promise<void> {
    this.#unwatch = this.#options.platform.watch((uid) => this.#instanceChanged(uid));
    await this.#options.platform.start();
    for (const record of this.#options.functions.list()) this.#publish(record);
    this.poke();
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer();
    this.#unwatch();
  }

  subscribe(listener: (change: TableChange) => void): () => void {
    return this.#feed.subscribe(listener);
  }

  report(report: DemandReport): void {
    this.#demand.hear(report, this.#options.clock.now());
    this.poke();
  }

  /** A function was deployed, changed or deleted. */
  functionChanged(uid: string): void {
    const record = this.#options.functions.byUid(uid);
    if (record) this.#publish(record);
    else this.#feed.remove(uid);
    const exists = (functionUid: string, revision: string) => this.#options.functions.byUid(functionUid)?.revisions.some((r) => r.id === revision) ?? false;
    this.#failures.retain(exists);
    this.poke();
  }

  /** Asks for a step; several wishes become one. */
  poke(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.#options.clock.soon(() => {
      this.#scheduled = false;
      if (!this.#closed) this.step();
    });
  }

  /** One round: observe, decide, act. */
  step(): Decision {
    this.#cancelTimer();
    const world = this.#world();
    const decision = decide(world);
    for (const pool of decision.throttled) this.#options.onEvent({ type: "budget.exhausted", pool });
    this.#executor.execute(decision.actions, world);
    for (const action of decision.actions) {
      if (action.kind === "remove" && action.instance.functionUid) this.#publishUid(action.instance.functionUid);
    }
    this.#cancelTimer = this.#options.clock.after(Math.min(decision.lookAgainMs ?? RESYNC_MS, RESYNC_MS), () => this.poke());
    return decision;
  }

  /** The instances as the next decision will see them. */
  view(): World {
    return this.#world();
  }

  /** States of a function's instances, for display. */
  statesOf(functionUid: string): string[] {
    const { instances } = this.#options.platform.observe();
    const own = [...instances.values()].filter((instance) => instance.echo?.functionUid === functionUid);
    return own.filter(({ uid }) => !this.#executor.isLeaving(uid)).map(({ echo }) => echo?.state ?? "starting");
  }

  #world(): World {
    const { platform, clock, functions, pools, pace } = this.#options;
    const now = clock.now();
    const { synced, instances } = platform.observe();
    this.#executor.observe(instances, now);
    const known: Knowledge = {
      expectations: this.#executor.expectations,
      uses: this.#demand.byInstance(now),
      suspects: this.#demand.suspects(now),
      isLeaving: (uid) => this.#executor.isLeaving(uid),
      isSilent: (uid) => this.#executor.isSilent(uid),
      isBinding: (uid) => this.#executor.isBinding(uid),
      specializedAt: (uid) => this.#executor.startOf(uid)?.at ?? 0,
    };
    const specs = pools.list();
    return {
      now,
      synced,
      pools: specs,
      functions: functions.list().map((record) => specOf(record, this.#failures.blockedUntil(record.uid, record.active))),
      instances: [...instances.values()].map((instance) => viewInstance(instance, known)),
      demand: this.#demand.byFunction(now),
      expectedCreations: this.#executor.expectations.creations(),
      disruptions: new Map(specs.map((p) => [p.name, this.#executor.disruptions.count(p.name, p.budget.windowMs, now)])),
      pace,
    };
  }

  #instanceChanged(uid: string): void {
    const instance = this.#options.platform.observe().instances.get(uid);
    if (instance) this.#notice(instance);
    else this.#gone(uid);
    if (instance?.echo) this.#executor.accepted(uid, instance.echo.epoch, this.#options.clock.now());
    const functionUid = instance?.echo?.functionUid ?? this.#executor.startOf(uid)?.functionUid;
    if (functionUid) this.#publishUid(functionUid);
    if (!instance) this.#executor.forget(uid);
    this.poke();
  }

  /** Reports each change of an instance's state once. */
  #notice(instance: Instance): void {
    const { echo, uid, pool } = instance;
    if (!echo) return;
    const mark = `${echo.state}/${echo.epoch}/${echo.error ? 1 : 0}`;
    if (this.#noticed.get(uid) === mark) return;
    const known = this.#noticed.get(uid);
    this.#noticed.set(uid, mark);
    const now = this.#options.clock.now();
    const { onEvent } = this.#options;
    if (echo.state === "prewarmed" && !known?.startsWith("prewarmed")) {
      onEvent({ type: "instance.prewarmed", pool, instance: uid, ms: now - instance.createdAt });
      this.#executor.learnStart(now - instance.createdAt);
    }
    if (echo.error) this.#failed(instance, now);
    else if (echo.state === "warm" && echo.functionUid && echo.revision) this.#loaded(instance, now);
  }

  #loaded({ uid, pool, echo }: Instance, now: number): void {
    const { functionUid, revision } = echo as { functionUid: string; revision: string };
    this.#failures.clear(functionUid, revision);
    const ms = now - (this.#executor.startOf(uid)?.at ?? now);
    this.#options.onEvent({ type: "instance.loaded", pool, instance: uid, function: functionUid, revision, ms });
  }

  #failed({ uid, pool, echo }: Instance, now: number): void {
    const { error, functionUid } = echo as NonNullable<Instance["echo"]>;
    if (!error) return;
    const { message, reason } = error;
    const failure = { reason, message, instanceUid: uid, retryAfterMs: 0 };
    if (reason === "crash" || !functionUid || !error.revision) {
      this.#options.onEvent({ type: "instance.crashed", pool, instance: uid, function: functionUid, message });
    } else if (this.#failures.record(functionUid, error.revision, `${uid}/${echo?.epoch}`, uid, error, now)) {
      const { revision } = error;
      this.#options.onEvent({ type: "instance.load-failed", pool, instance: uid, function: functionUid, revision, message });
    }
    this.#feed.publish({ type: "failed", instanceUid: uid, failure });
  }

  #undeliverable(functionUid: string, revision: string, { message }: Error): void {
    const error = { reason: "load" as const, message, revision };
    this.#failures.record(functionUid, revision, `undeliverable/${this.#options.clock.now()}`, "", error, this.#options.clock.now());
    this.#publishUid(functionUid);
  }

  #gone(uid: string): void {
    this.#noticed.delete(uid);
    this.#options.onEvent({ type: "instance.gone", pool: this.#executor.poolOf(uid), instance: uid });
  }

  #publishUid(functionUid: string): void {
    const record = this.#options.functions.byUid(functionUid);
    if (record) this.#publish(record);
  }

  #publish(record: FunctionRecord): void {
    const { platform, clock } = this.#options;
    const serving = [...platform.observe().instances.values()].filter(
      (instance) => instance.echo?.functionUid === record.uid && !instance.removing && !this.#executor.isLeaving(instance.uid),
    );
    const failure = this.#failures.current(record.uid, activeRevision(record).id, clock.now());
    const startOf = (uid: string) => this.#executor.startOf(uid);
    this.#feed.upsert(tableFunction(record, serving, startOf, failure, this.#executor.expectedStartMs));
  }
}
