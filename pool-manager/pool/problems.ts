import type { Instance, Observation, ObstacleKind } from "../platform/platform.ts";
import type { Incident } from "./incidents.ts";

const WORDS: Record<ObstacleKind, string> = {
  pending: "wait for a node",
  blocked: "cannot start on their node",
  unreachable: "cannot be reached",
  ended: "have ended",
  stuck: "are not deleted in time",
};

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
    if (met.length > 0) problems.add(`${met.length} ${met.length === 1 ? "instance" : "instances"}: ${WORDS[kind]}, such as ${example(met[0])}`);
  }
  return [...problems];
}

function example(instance: Instance | undefined): string {
  return `${instance?.uid}: ${instance?.obstacle?.message}`;
}
