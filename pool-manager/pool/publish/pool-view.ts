import type { Echo } from "../../../runtime-images/protocol/messages.ts";
import type { Clock } from "../../async/clock.ts";
import { activeRevision, type FunctionRecord } from "../../functions/function.ts";
import { excessOf, type ResourceBounds } from "../../functions/manifest/resources.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Executor } from "../act/executor.ts";
import { rolloutSizeIn } from "../decide/wanted-instances.ts";
import type { World } from "../decide/world.ts";
import type { InvocationOutcomes } from "../observe/invocation-outcomes.ts";
import type { LoadFailures } from "../observe/load-failures.ts";
import { unknownFunctions } from "../observe/world-builder.ts";
import type { ReconcilerOptions } from "../options.ts";
import {
  cappedInWords,
  crashLoopInWords,
  inWords,
  memoryInWords,
  obstaclesInWords,
  problemsOf,
  retiredInWords,
  strangersInWords,
  underResourcedInWords,
} from "./problems.ts";

/** The state of functions and pools as the API and the custom resources show it. Read-only. */
export class PoolView {
  readonly #platform: Platform;
  readonly #functions: ReconcilerOptions["functions"];
  readonly #pools: ReconcilerOptions["pools"];
  readonly #bounds: ResourceBounds | null;
  readonly #clock: Clock;
  readonly #executor: Executor;
  readonly #failures: LoadFailures;
  readonly #outcomes: InvocationOutcomes;
  /** The world of the last round. */
  #world: World | null = null;

  constructor(
    { platform, clock, functions, pools, bounds = null }: Pick<ReconcilerOptions, "platform" | "clock" | "functions" | "pools" | "bounds">,
    executor: Executor,
    failures: LoadFailures,
    outcomes: InvocationOutcomes,
  ) {
    this.#platform = platform;
    this.#functions = functions;
    this.#pools = pools;
    this.#bounds = bounds;
    this.#clock = clock;
    this.#executor = executor;
    this.#failures = failures;
    this.#outcomes = outcomes;
  }

  /** The world of a round: evidence of rollouts is taken from it, since a rollout is checked ten times a second. */
  saw(world: World): void {
    this.#world = world;
  }

  /** A pool's known problems, in words. */
  problemsOf(pool: string): string[] {
    const observation = this.#platform.observe();
    const own = [...observation.instances.values()].filter((instance) => instance.pool === pool);
    const strangers = strangersInWords(own, unknownFunctions(own, this.#functions));
    const capped = this.#pools.list().flatMap((spec) => (spec.name === pool ? [...retiredInWords(spec), ...cappedInWords(spec), ...memoryInWords(spec)] : []));
    return [...problemsOf(pool, observation, this.#executor.incidents.of(pool), this.#clock.now()), ...capped, ...strangers];
  }

  /** A function's known problems, in words. */
  problemsOfFunction(record: FunctionRecord): string[] {
    const { uid, active } = record;
    const pool = this.#functions.poolOf(record);
    const now = this.#clock.now();
    const failure = this.#failures.last(uid, active);
    const loop = this.#failures.crashLoop(uid, active, now);
    const own = [...this.#platform.observe().instances.values()].filter(({ echo, binding }) => (echo?.functionUid ?? binding?.functionUid) === uid);
    const lacking = excessOf(activeRevision(record).settings.resources ?? {}, this.#bounds);
    const troubled = own.find(({ trouble }) => trouble !== null);
    return [
      ...(failure ? [`${active} does not load: ${failure}`] : []),
      ...(loop ? [`${active} ${crashLoopInWords(loop, now)}`] : []),
      ...this.#executor.incidents.ofFunction(uid).map(inWords),
      ...(troubled ? [`instance ${troubled.uid} does not get its image: ${troubled.trouble}`] : []),
      ...(lacking ? [lacking.message] : []),
      ...underResourcedInWords(own),
      ...obstaclesInWords(own, now),
      // The pool's problems concern a function only if no instance serves it.
      ...(own.some(({ echo }) => isServing(echo)) ? [] : this.problemsOf(pool).map((problem) => `pool ${pool}: ${problem}`)),
    ];
  }

  /** States of a function's instances, for display. */
  statesOf(functionUid: string): string[] {
    const { instances } = this.#platform.observe();
    const own = [...instances.values()].filter((instance) => instance.echo?.functionUid === functionUid);
    return own.filter(({ uid }) => !this.#executor.isLeaving(uid)).map(({ echo }) => echo?.state ?? "starting");
  }

  /** Whether a revision's code loads, as far as is known, in the form of a Kubernetes condition. */
  readiness(): (functionUid: string, revision: string) => { status: "True" | "False" | "Unknown"; reason: string; message: string } {
    const { instances } = this.#platform.observe();
    const now = this.#clock.now();
    const loaded = new Set([...instances.values()].flatMap(({ echo }) => (echo?.loaded ? [`${echo.functionUid} ${echo.revision}`] : [])));
    return (functionUid, revision) => {
      const failure = this.#failures.last(functionUid, revision);
      if (failure) return { status: "False", reason: "LoadFailed", message: failure };
      const loop = this.#failures.crashLoop(functionUid, revision, now);
      if (loop) return { status: "False", reason: "CrashLoopBackOff", message: loop.error.message };
      if (loaded.has(`${functionUid} ${revision}`)) return { status: "True", reason: "Loaded", message: `${revision} is loaded` };
      return { status: "Unknown", reason: "Idle", message: `no instance has ${revision} loaded` };
    };
  }

  /** The evidence for a rollout's next step; null while the observation is incomplete. */
  rolloutOf(record: FunctionRecord, to: string) {
    const { uid, active } = record;
    const { synced, instances } = this.#platform.observe();
    if (!synced || !this.#world) return null;
    const own = [...instances.values()].filter(({ echo, removing }) => echo?.functionUid === uid && !removing);
    const serving = own.filter(({ uid: instance, echo }) => isServing(echo) && !this.#executor.isLeaving(instance));
    const stuck = own.find(({ binding, trouble }) => trouble && binding?.revision === to);
    const size = rolloutSizeIn(this.#world, uid);
    return {
      total: size ?? serving.filter(({ echo }) => echo?.revision === active || echo?.revision === to).length,
      ready: serving.filter(({ echo }) => echo?.revision === to && echo.loaded).length,
      failure: this.#failures.last(uid, to) ?? this.#failures.crashLoop(uid, to, this.#clock.now())?.error.message ?? stuck?.trouble ?? null,
      ...this.#outcomes.of(uid, to),
    };
  }
}

function isServing(echo: Echo | null): boolean {
  return echo?.state === "warm" || echo?.state === "specializing";
}
