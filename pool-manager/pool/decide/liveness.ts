import type { InstanceView, World } from "./world.ts";

/** An instance that was lost is kept this much longer than it takes to give one up, in case it comes back. */
const KEPT_TIMES = 10;

type Clocked = Pick<World, "now" | "pace">;

/**
 * It runs, or should, and has been out of reach for so long that nobody counts on it. That its log cannot be read says
 * nothing about the instance itself: it may serve, and it may come back.
 */
export function isLost(instance: InstanceView, { now, pace }: Clocked): boolean {
  const { obstacle, state, functionUid, inFlight, lastUsedAt, seenAt } = instance;
  if (obstacle?.kind !== "unreachable" && obstacle?.kind !== "blocked") return false;
  // A router reaches it: an instance whose function nobody has recorded yet may well serve.
  if (inFlight > 0 || (lastUsedAt > seenAt && now - lastUsedAt < pace.startTimeoutMs)) return false;
  const wasFree = state === "prewarmed" && functionUid === null;
  return now - obstacle.since > (wasFree ? pace.lostAfterMs : pace.startTimeoutMs);
}

/**
 * It may serve before long, but nobody who needs an instance now waits for it: it ran already when this pool manager
 * came, and has not been reached since; or it has not started on a node that is away.
 */
export function isUnheard({ state, functionUid, boundTo, obstacle, createdAt, seenAt, runningSince }: InstanceView, { now, pace }: Clocked): boolean {
  if (state !== "starting" || functionUid !== null || boundTo !== null || obstacle?.kind !== "unreachable") return false;
  const ranBefore = createdAt < seenAt && runningSince === seenAt;
  return (ranBefore || runningSince === null) && now - obstacle.since > pace.lostAfterMs;
}

/** Lost for so long that another try in its place is due. */
export function isGivenUp(instance: InstanceView, world: Clocked): boolean {
  const { obstacle } = instance;
  return isLost(instance, world) && obstacle !== null && world.now - obstacle.since > KEPT_TIMES * world.pace.startTimeoutMs;
}

/**
 * Something may run on it for a router that is not heard: it has not said that it is free since this pool manager came. Then
 * it is not removed as a lost free one, which nobody waits for.
 */
export function mayServe({ state, boundTo, unsure }: InstanceView, { isolated }: Pick<World, "isolated">): boolean {
  return state !== "prewarmed" && (boundTo !== null || unsure || isolated);
}

/** A function's instance that neither the pool manager nor any router has reached for the whole start timeout. Where a router may use it that is not heard, nobody knows. */
export function isAbandoned(instance: InstanceView, { now, pace, isolated }: Pick<World, "now" | "pace" | "isolated">): boolean {
  const { obstacle, inFlight, lastUsedAt, boundTo, functionUid, unsure } = instance;
  if ((boundTo ?? functionUid) === null || inFlight > 0 || unsure || isolated) return false;
  if (obstacle?.kind !== "unreachable" && obstacle?.kind !== "blocked") return false;
  return now - Math.max(obstacle.since, lastUsedAt) > pace.startTimeoutMs;
}
