import type { Instance, Observation, ObstacleKind } from "../../platform/platform.ts";
import type { Incident } from "../act/incidents.ts";
import { isUnbound } from "../decide/pool-sizing.ts";
import type { InstanceView, PoolSpec } from "../decide/world.ts";
import { allowedInWords, exceededInWords, freeAllowed } from "../memory/idle-memory.ts";
import type { CrashLoop } from "../observe/crash-loops.ts";

/** Verb phrases that follow "1 instance" and "4 instances". */
const WORDS: Record<ObstacleKind, [one: string, several: string]> = {
  pending: ["is waiting for a node", "are waiting for a node"],
  blocked: ["is not started by its node", "are not started by their nodes"],
  unreachable: ["is unreachable", "are unreachable"],
  ended: ["has ended and still exists", "have ended and still exist"],
  stuck: ["is not deleted in time", "are not deleted in time"],
};

/** An instance with an obstacle for this long is not expected to become ready. */
const STANDS_STILL_MS = 3000;

/**
 * Why the pool can get no further instance: the platform refuses or cannot start one. Null if an instance is free or
 * starting, or if no reason is known.
 */
export function blockedBy(instances: readonly InstanceView[], refusal: string | null, incidents: readonly Incident[], now: number): string | null {
  const unbound = instances.filter((instance) => !instance.removing && isUnbound(instance));
  // If instances end before they run, a starting one promises nothing.
  const ending = incidents.find(({ action }) => action === "start");
  const comes = (instance: InstanceView) => !standsStill(instance, now) && (!ending || instance.state !== "starting");
  if (unbound.some(comes)) return null;
  const failed = incidents.find(({ action }) => action === "scale");
  return refusal ?? failed?.message ?? ending?.message ?? unbound[0]?.obstacle?.message ?? null;
}

/** True if its obstacle has lasted: every start has one for a moment. */
export function standsStill({ obstacle }: Pick<Instance, "obstacle">, now: number): boolean {
  return obstacle !== null && now - obstacle.since > STANDS_STILL_MS;
}

/** A pool's problems, in words: refused and failing actions, and instances that cannot serve, with the reason of one of them. */
export function problemsOf(pool: string, { instances, refusals }: Observation, incidents: readonly Incident[], now: number): string[] {
  const refusal = refusals?.().get(pool);
  const failing = incidents.filter(({ message }) => message !== refusal);
  const own = [...instances.values()].filter((instance) => instance.pool === pool);
  return [...(refusal ? [`no more instances are created: ${refusal}`] : []), ...new Set(failing.map(inWords)), ...obstaclesInWords(own, now)];
}

/** A message about instances of functions that are neither declared nor known to be deleted: they are kept, and count. */
export function strangersInWords(instances: readonly Instance[], unknown: ReadonlyMap<string, unknown>): string[] {
  const kept = instances.filter(({ echo, binding }) => unknown.get(echo?.functionUid ?? binding?.functionUid ?? "") === "unproven");
  const [first] = kept;
  if (!first) return [];
  const uid = first.echo?.functionUid ?? first.binding?.functionUid;
  const [who, it] = kept.length === 1 ? ["1 instance belongs", "it is"] : [`${kept.length} instances belong`, "they are"];
  return [`${who} to a function that is not declared, such as ${first.uid} to ${uid}: ${it} kept for a day, in case the declaration comes back`];
}

/** A message about instances whose nodes have no room for the resources of their function. */
export function underResourcedInWords(instances: readonly Instance[]): string[] {
  const lacking = instances.filter(({ underResourced }) => underResourced !== null);
  const [first] = lacking;
  if (!first) return [];
  const who = lacking.length === 1 ? "1 instance does" : `${lacking.length} instances do`;
  return [`${who} not have the resources of the function, such as ${first.uid}: ${first.underResourced}`];
}

/** A message about a schedule that wants more than this machine has room for. */
export function cappedInWords({ scheduled, max }: PoolSpec): string[] {
  if (!scheduled || scheduled.instances <= max) return [];
  return [`${scheduled.text} wants ${scheduled.instances} free, and there is room for ${max}: berth pool set NAME --max, or another schedule`];
}

/** Messages about sizes that users have set and that exceed `idleMemory`, and about a schedule that it bounds. A decision of size auto names its own bounds. */
export function memoryInWords({ memory, auto, size, ownSize = size, scheduled }: PoolSpec): string[] {
  if (!memory) return [];
  if (auto) return exceededInWords(memory, "min", auto.min);
  const isBounded = scheduled && scheduled.instances > Math.max(ownSize, freeAllowed(memory));
  const bounded = isBounded ? [`${scheduled.text} wants ${scheduled.instances} free, ${allowedInWords(memory)}`] : [];
  return [...exceededInWords(memory, "size", ownSize), ...bounded];
}

/** A message about a pool that is emptied. */
export function retiredInWords({ name, retired }: Pick<PoolSpec, "name" | "retired">): string[] {
  return retired ? [`the size class of the pool ${name} is not declared any more: its instances end, and functions take instances of other pools`] : [];
}

export function inWords({ action, message }: Incident): string {
  return `${action} fails: ${message}`;
}

/** A phrase that follows the revision's name. */
export function crashLoopInWords({ crashes, until, error }: CrashLoop, now: number): string {
  return `crashes soon after it has loaded, ${crashes} times in a row; the next start is in ${Math.ceil((until - now) / 1000)} s: ${error.message}`;
}

export function obstaclesInWords(instances: readonly Instance[], now: number): string[] {
  return (Object.keys(WORDS) as ObstacleKind[]).flatMap((kind) => {
    const met = instances.filter((instance) => instance.obstacle?.kind === kind && standsStill(instance, now));
    const [first] = met;
    if (!first) return [];
    const [one, several] = WORDS[kind];
    return [`${met.length} ${met.length === 1 ? `instance ${one}` : `instances ${several}`}, such as ${first.uid}: ${first.obstacle?.message}`];
  });
}
