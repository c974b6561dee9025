import { type FunctionRecord, servedRevisions } from "../../functions/function.ts";
import type { FunctionRegistry } from "../../functions/registry.ts";
import type { Schedules } from "../../schedules/schedules.ts";
import type { DemandView, InstanceView, RevisionTarget } from "../decide/world.ts";
import type { IdlePlanner } from "../idling/idle-planner.ts";
import type { LoadFailures } from "./load-failures.ts";
import { revisionTargetOf } from "./world-builder.ts";

/** Revisions that a caller waits for, although nobody invokes them. */
interface OpenTrials {
  isOpen(functionUid: string, revision: string, now: number): boolean;
  functions(now: number): string[];
}

interface RevisionTargetsOptions {
  functions: Pick<FunctionRegistry, "byUid" | "wanting" | "poolOf">;
  failures: LoadFailures;
  trials: OpenTrials;
  /** Plans of functions whose idle timeout is auto; absent: they are idle for the standard time. */
  idling?: Pick<IdlePlanner, "planOf" | "expecting"> | undefined;
  /** The schedules in force; absent: functions have their own minimum scale alone. */
  schedules?: Pick<Schedules, "activeOf"> | undefined;
}

/** The targets of a record that none of its revisions' failures and trials has changed. */
interface Served {
  /** The minimum scale in force, by its own and by schedules. */
  minScale: number;
  specs: readonly RevisionTarget[];
}

/** The revisions that a round decides about. Functions without instances and demand, which are most, cost a round nothing. */
export class RevisionTargets {
  readonly #options: RevisionTargetsOptions;
  readonly #served = new WeakMap<FunctionRecord, Served>();

  constructor(options: RevisionTargetsOptions) {
    this.#options = options;
  }

  /** Served revisions of the functions that have instances, demand, an expected invocation, an open trial or a minimum scale; sorted by function name. */
  of(instances: readonly InstanceView[], demand: ReadonlyMap<string, DemandView>, now: number): RevisionTarget[] {
    const { functions, trials, idling } = this.#options;
    const records = new Set(functions.wanting());
    const add = (uid: string | null) => {
      const record = uid === null ? undefined : functions.byUid(uid);
      if (record) records.add(record);
    };
    for (const { functionUid, boundTo } of instances) for (const uid of [functionUid, boundTo]) add(uid);
    for (const key of demand.keys()) add(key.split("@")[0] ?? null);
    for (const uid of trials.functions(now)) add(uid);
    for (const uid of idling?.expecting() ?? []) add(uid);
    return [...records].sort((a, b) => (a.name < b.name ? -1 : 1)).flatMap((record) => this.#specsOf(record, now));
  }

  /** Cached by record: records are immutable, and most are the same as in the round before. */
  #servedOf(record: FunctionRecord): readonly RevisionTarget[] {
    const { minScale: own, maxScale, warm } = record.scaling;
    const { functions, schedules } = this.#options;
    const scheduled = schedules?.activeOf(record.uid, functions.poolOf(record), warm)?.instances ?? 0;
    const minScale = Math.max(own, Math.min(scheduled, maxScale));
    const known = this.#served.get(record);
    if (known?.minScale === minScale) return known.specs;
    const specs = servedRevisions(record).map((revision) => revisionTargetOf(record, revision, 0, minScale, functions.poolOf(record, revision)));
    this.#served.set(record, { minScale, specs });
    return specs;
  }

  #specsOf(record: FunctionRecord, now: number): readonly RevisionTarget[] {
    const { failures, trials, idling } = this.#options;
    const plan = record.scaling.idleAuto ? (idling?.planOf(record.uid) ?? null) : null;
    return this.#servedOf(record).map((spec) => {
      const blockedUntil = failures.blockedUntil(record.uid, spec.revision, now);
      const tried = trials.isOpen(record.uid, spec.revision, now) ? { minScale: Math.max(spec.minScale, 1), isAwaited: true } : null;
      if (blockedUntil === 0 && !tried && !plan) return spec;
      const planned = plan && { idleTimeoutMs: plan.idleTimeoutMs, isExpected: plan.isExpected && spec.active };
      return { ...spec, blockedUntil, ...planned, ...tried };
    });
  }
}
