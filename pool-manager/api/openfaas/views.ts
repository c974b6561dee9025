import { activeRevision, type FunctionRecord } from "../../functions/function.ts";
import type { LogEntry } from "../../functions/logs.ts";
import type { ApiContext } from "../context.ts";
import { viewFunction } from "../routes/views.ts";
import { imageOf, PROCESS_VARIABLE, SCALE_LABELS } from "./deployment.ts";
import { NAMESPACE } from "./requests.ts";

/** What functions are shown with besides their records. */
export interface Surroundings {
  /** Invocations by function, since this process began. */
  invocations: ReadonlyMap<string, number>;
  /** The runtimes that have a free instance. */
  free: ReadonlySet<string>;
}

/** A function as a FunctionStatus of OpenFaaS. */
export function statusOf(record: FunctionRecord, context: ApiContext, { invocations, free }: Surroundings) {
  const view = viewFunction(record, context);
  const { image } = view as { image?: string | null };
  const { [PROCESS_VARIABLE]: envProcess, ...envVars } = view.env;
  const { warm, starting } = view.instances;
  return {
    name: record.name,
    image: image ?? imageOf(record.name, activeRevision(record).layer),
    namespace: NAMESPACE,
    envProcess,
    envVars,
    secrets: view.secrets,
    labels: Object.fromEntries(Object.entries(SCALE_LABELS).map(([label, field]) => [label, String(view[field])])),
    annotations: { "berth.dev/runtime": record.runtime, "berth.dev/revision": record.active },
    invocationCount: invocations.get(record.name) ?? 0,
    replicas: warm + starting,
    availableReplicas: availableOf(warm, free.has(record.runtime) && view.problems.length === 0),
    createdAt: record.createdAt,
  };
}

/** Instances that can take the next invocation. A free one of the pool counts where the function has none: it takes the code as it is invoked. */
export function availableOf(warm: number, mayClaim: boolean): number {
  return warm > 0 ? warm : Number(mayClaim);
}

export async function surroundingsOf(context: ApiContext): Promise<Surroundings> {
  const free = new Set(context.instances().views.flatMap(({ pool, state }) => (state === "prewarmed" ? pool : [])));
  const runtimes = context.pools.list().flatMap(({ name, runtime }) => (free.has(name) ? runtime : []));
  return { invocations: await invocationsOf(context), free: new Set(runtimes) };
}

/** Counts of the routers whose metrics this process has: those of routers of their own are not here. */
async function invocationsOf(context: ApiContext): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const registry of (await context.metrics()).registries) {
    const { values } = (await registry.getSingleMetric("berth_invocations_total")?.get()) ?? { values: [] };
    for (const { labels, value } of values) {
      const name = String(labels.function);
      counts.set(name, (counts.get(name) ?? 0) + value);
    }
  }
  return counts;
}

/** A line of a function's log as a Message of OpenFaaS. */
export function messageOf(name: string, { instance, time, message }: LogEntry) {
  return { name, namespace: NAMESPACE, instance, timestamp: time, text: message };
}
