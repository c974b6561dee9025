import pLimit from "p-limit";
import { PeriodicTask } from "../../../async/periodic-task.ts";
import type { FunctionRegistry } from "../../../functions/registry.ts";
import { isFree } from "../../../pool/decide/plan.ts";
import type { Pools } from "../../../pool/pools.ts";
import type { Reconciler } from "../../../pool/reconciler.ts";
import type { FunctionResources } from "../function-resources.ts";
import type { PoolResources } from "../pool-resources.ts";
import type { WriteFailureReport } from "../write-failures.ts";
import { SizePacing } from "./size-pacing.ts";

/** How often the statuses of functions and pools are reported. */
const REPORT_EVERY_MS = 2000;
/** How many functions are written concurrently: a webhook may take seconds for each write. */
const WRITES_AT_ONCE = 8;

export interface StatusSources {
  registry: FunctionRegistry;
  pools: Pools;
  reconciler: Pick<Reconciler, "view" | "reports">;
  /** The stores that write the statuses. */
  resources: { functions: Pick<FunctionResources, "report">; pools: Pick<PoolResources, "report"> };
  failures: WriteFailureReport;
  /** Reports why a round has failed, once for each change of the reason, and null once one succeeds. */
  onTrouble(kind: "Function" | "Pool", message: string | null): void;
}

/**
 * Reports the state of functions and pools in their resources. The next round retries failed writes, except those of
 * functions that were refused for their size, which are retried with growing pauses. Functions and pools have separate
 * rounds, so that slow writes of functions do not delay pools.
 */
export class StatusReports {
  readonly #rounds: PeriodicTask[];

  constructor(sources: StatusSources) {
    const { onTrouble } = sources;
    const pacing = new SizePacing();
    this.#rounds = [
      new PeriodicTask(
        () => reportFunctions(sources, pacing),
        REPORT_EVERY_MS,
        (message) => onTrouble("Function", message),
      ),
      new PeriodicTask(
        () => reportPools(sources),
        REPORT_EVERY_MS,
        (message) => onTrouble("Pool", message),
      ),
    ];
  }

  start(): void {
    for (const round of this.#rounds) round.start();
  }

  close(): void {
    for (const round of this.#rounds) round.close();
  }
}

async function reportFunctions({ registry, reconciler, resources, failures }: StatusSources, pacing: SizePacing): Promise<void> {
  const { instances, synced } = reconciler.view();
  if (!synced) return;
  const warm = new Map<string | null, number>();
  for (const { functionUid, state, removing } of instances) {
    if (state === "warm" && !removing) warm.set(functionUid, (warm.get(functionUid) ?? 0) + 1);
  }
  const readiness = reconciler.reports.readiness();
  const atOnce = pLimit(WRITES_AT_ONCE);
  const functions = registry.list();
  pacing.retain(new Set(functions.map(({ uid }) => uid)));
  const writes = functions.map(({ uid, name, active }) => {
    const write = () => resources.functions.report(name, warm.get(uid) ?? 0, readiness(uid, active));
    return atOnce(() => failures.of("Function", `the status of ${name} is not written`, pacing.write(uid, write)));
  });
  await Promise.all(writes);
}

async function reportPools({ pools, reconciler, resources, failures }: StatusSources): Promise<void> {
  const { instances, synced } = reconciler.view();
  if (!synced) return;
  const writes = pools.list().map((pool) => {
    const own = instances.filter((instance) => instance.pool === pool.name);
    const now = { free: own.filter(isFree).length, instances: own.length, problems: reconciler.reports.problemsOf(pool.name) };
    return failures.of("Pool", `the resource of ${pool.name} is not written`, resources.pools.report(pool, now));
  });
  await Promise.all(writes);
}
