import type { InstanceView } from "../../pool/decide/world.ts";
import { isUsed } from "../../pool/used-pools.ts";
import type { ApiContext } from "../context.ts";
import { type Changes, TrackedRows } from "./changes.ts";
import { type NumberedEvent, RecentEvents } from "./recent-events.ts";
import { chosen, type FunctionRow, functionRow, type InstanceRow, instanceRow, loadsOf, NO_LOAD, type PoolRow, poolRow } from "./rows.ts";

/** Functions that the overview names; those in use come first. */
const MAX_FUNCTIONS = 1000;
/** Functions whose problems are looked for in one round: each search passes over all instances. */
const PROBLEMS_PER_ROUND = 100;

export interface OverviewStatus {
  version: string;
  platform: string;
  router: boolean;
  ready: boolean;
  /** All functions, named here or not. */
  functions: number;
}

interface Lists {
  status: OverviewStatus;
  /** Milliseconds on the clock of `createdMs`. */
  now: number;
}

export interface OverviewSnapshot extends Lists {
  type: "snapshot";
  pools: PoolRow[];
  functions: FunctionRow[];
  instances: InstanceRow[];
  events: NumberedEvent[];
}

/** The changes since the message before; lists without a change are absent. */
export interface OverviewChanges extends Lists {
  type: "changes";
  pools?: Changes<PoolRow>;
  functions?: Changes<FunctionRow>;
  instances?: Changes<InstanceRow>;
  events?: NumberedEvent[];
}

/** The whole system as rows, and what changes in them from one look to the next. */
export class Overview {
  readonly #context: ApiContext;
  readonly #pools = new TrackedRows<PoolRow>();
  readonly #functions = new TrackedRows<FunctionRow>();
  readonly #instances = new TrackedRows<InstanceRow>();
  readonly #problems = new Map<string, string[]>();
  readonly #events = new RecentEvents();
  #eventsTold = 0;
  #nextProblems = 0;

  constructor(context: ApiContext) {
    this.#context = context;
    context.onEvent((event) => this.#events.add(event));
  }

  /** Looks at the instances and events, and in a `full` round at functions and pools too. */
  look(full: boolean): OverviewChanges {
    const { views, placeOf, now, demand } = this.#context.instances();
    const names = (uid: string) => this.#context.functions.byUid(uid)?.name;
    const instances = this.#instances.update(views.map((view) => instanceRow(view, placeOf(view.uid), names)));
    const functions = full ? this.#functions.update(this.#functionRows(views, demand, now)) : null;
    const pools = full ? this.#pools.update(this.#poolRows()) : null;
    const events = this.#events.after(this.#eventsTold);
    this.#eventsTold = this.#events.seq;
    return {
      type: "changes",
      now: Math.round(now),
      status: this.#status(),
      ...(pools && { pools }),
      ...(functions && { functions }),
      ...(instances && { instances }),
      ...(events.length > 0 && { events }),
    };
  }

  /** Everything as of the last look. */
  snapshot(): OverviewSnapshot {
    return {
      type: "snapshot",
      now: Math.round(this.#context.instances().now),
      status: this.#status(),
      pools: this.#pools.rows,
      functions: this.#functions.rows,
      instances: this.#instances.rows,
      events: this.#events.after(0),
    };
  }

  #status(): OverviewStatus {
    const { version, platform, functions, ready } = this.#context;
    return { version, platform, router: this.#context.routerAddress() !== null, ready: ready(), functions: functions.list().length };
  }

  #poolRows(): PoolRow[] {
    const { pools, functions, doubtOf, problemsOf } = this.#context;
    return pools.list().map((pool) => poolRow(pool, { used: isUsed(pool, functions), doubt: doubtOf(pool.name), problems: problemsOf(pool.name) }));
  }

  #functionRows(views: readonly InstanceView[], demand: Parameters<typeof loadsOf>[1], now: number): FunctionRow[] {
    const { functions, statistics } = this.#context;
    const loads = loadsOf(views, demand);
    const records = chosen(functions.list(), (uid) => loads.has(uid) || statistics.of(uid, now) !== null, MAX_FUNCTIONS);
    this.#lookForProblems(records.map(({ name }) => name));
    return records.map((record) =>
      functionRow(record, loads.get(record.uid) ?? NO_LOAD, statistics.of(record.uid, now), this.#problems.get(record.name) ?? []),
    );
  }

  /** Looks for the problems of some functions, and of others in the next round. */
  #lookForProblems(names: readonly string[]): void {
    const known = new Set(names);
    for (const name of this.#problems.keys()) if (!known.has(name)) this.#problems.delete(name);
    const count = Math.min(PROBLEMS_PER_ROUND, names.length);
    for (let i = 0; i < count; i++) {
      const name = names[(this.#nextProblems + i) % names.length] as string;
      const record = this.#context.functions.find(name);
      if (record) this.#problems.set(name, this.#context.problemsOfFunction(record));
    }
    this.#nextProblems = names.length === 0 ? 0 : (this.#nextProblems + count) % names.length;
  }
}
