import type { Instance, Observation, ObstacleKind } from "../platform/platform.ts";
import type { Incident } from "./incidents.ts";
import type { InstanceView } from "./state.ts";
import { isUnbound } from "./supply.ts";

const WORDS: Record<ObstacleKind, string> = {
  pending: "waiting for a node",
  blocked: "not started by their node",
  unreachable: "out of reach",
  ended: "ended",
  stuck: "not deleted in time",
};

/** An instance that has stood still for this long is not about to come. Milliseconds. */
const STANDS_STILL_MS = 3000;

/**
 * Why no further instance of a pool can come: what was asked for is refused, or stands still. Null while one is free or
 * on its way, and where nothing is known to be in the way.
 */
export function blockedBy(instances: readonly InstanceView[], refusal: string | null, incidents: readonly Incident[], now: number): string | null {
  const unbound = instances.filter((instance) => !instance.removing && isUnbound(instance));
  const stands = ({ obstacle }: InstanceView) => obstacle !== null && now - obstacle.since > STANDS_STILL_MS;
  if (unbound.some((instance) => !stands(instance))) return null;
  const failed = incidents.find(({ action }) => action === "scale");
  return refusal ?? failed?.message ?? unbound[0]?.obstacle?.message ?? null;
}

/** What is in a pool's way, in words: refused and failing actions, and instances that cannot serve, with one's reason. */
export function problemsOf(pool: string, { instances, refusals }: Observation, incidents: readonly Incident[]): string[] {
  const problems = new Set<string>();
  const refusal = refusals?.().get(pool);
  if (refusal) problems.add(`no more instances are created: ${refusal}`);
  for (const { action, message, failures } of incidents) {
    if (message !== refusal) problems.add(`${action} has failed ${failures} times in a row: ${message}`);
  }
  const own = [...instances.values()].filter((instance) => instance.pool === pool);
  for (const kind of Object.keys(WORDS) as ObstacleKind[]) {
    const met = own.filter(({ obstacle }) => obstacle?.kind === kind);
    if (met.length > 0) problems.add(`${met.length} ${met.length === 1 ? "instance is" : "instances are"} ${WORDS[kind]}, such as ${example(met[0])}`);
  }
  return [...problems];
}

function example(instance: Instance | undefined): string {
  return `${instance?.uid}: ${instance?.obstacle?.message}`;
}
