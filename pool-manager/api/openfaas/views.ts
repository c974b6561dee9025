import { activeRevision, type FunctionRecord } from "../../functions/function.ts";
import type { LogEntry } from "../../functions/logs.ts";
import { DEFAULTS } from "../../functions/manifest/manifest.ts";
import type { ApiContext } from "../context.ts";
import { viewFunction } from "../routes/views.ts";
import { imageOf, PROCESS_VARIABLE, SCALE_LABELS } from "./deployment.ts";
import { NAMESPACE } from "./requests.ts";

/** The facts besides their records that functions are shown with. */
export interface Surroundings {
  /** Invocations by function, since this process began. */
  invocations: ReadonlyMap<string, number>;
  /** The pools that have a free instance. */
  free: ReadonlySet<string>;
}

/** A function as a FunctionStatus of OpenFaaS. */
export function statusOf(record: FunctionRecord, context: ApiContext, { invocations, free }: Surroundings) {
  const view = viewFunction(record, context);
  const { [PROCESS_VARIABLE]: envProcess, ...envVars } = view.env;
  const { warm, starting } = view.instances;
  return {
    name: record.name,
    image: view.image ?? imageOf(activeRevision(record).layer),
    namespace: NAMESPACE,
    envProcess,
    envVars,
    secrets: view.secrets,
    labels: labelsOf(view),
    invocationCount: invocations.get(record.name) ?? 0,
    replicas: warm + starting,
    availableReplicas: availableOf(warm, free.has(context.functions.poolOf(record)) && view.problems.length === 0),
    createdAt: record.createdAt,
  };
}

/** Labels for what is not the default: clients compare labels with those that they have deployed. */
export function labelsOf(scaling: Record<(typeof SCALE_LABELS)[keyof typeof SCALE_LABELS], number>): Record<string, string> {
  const set = Object.entries(SCALE_LABELS).filter(([, field]) => scaling[field] !== DEFAULTS[field]);
  return Object.fromEntries(set.map(([label, field]) => [label, String(scaling[field])]));
}

/** Instances that can take the next invocation. A free one of the pool counts where the function has none: it takes the code as it is invoked. */
export function availableOf(warm: number, mayClaim: boolean): number {
  return warm > 0 ? warm : Number(mayClaim);
}

export async function surroundingsOf(context: ApiContext): Promise<Surroundings> {
  const free = new Set(context.instances().views.flatMap(({ pool, state }) => (state === "prewarmed" ? pool : [])));
  return { invocations: await invocationsOf(context), free };
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
