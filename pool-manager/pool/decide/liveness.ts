import type { InstanceView, World } from "./world.ts";

/** A lost instance is kept for this multiple of the start timeout, in case it becomes reachable. */
const KEPT_TIMES = 10;

type Clocked = Pick<World, "now" | "pace">;

/**
 * True if it has been unreachable or blocked for so long that it no longer counts as capacity. The instance itself may
 * still be running: it may serve, and it may become reachable.
 */
export function isLost(instance: InstanceView, { now, pace }: Clocked): boolean {
  const { obstacle, state, functionUid, inFlight, lastUsedAt, seenAt } = instance;
  if (obstacle?.kind !== "unreachable" && obstacle?.kind !== "blocked") return false;
  // A router reaches it: it may serve a function that is not recorded yet.
  if (inFlight > 0 || (lastUsedAt > seenAt && now - lastUsedAt < pace.startTimeoutMs)) return false;
  const wasFree = state === "prewarmed" && functionUid === null;
  return now - obstacle.since > (wasFree ? pace.lostAfterMs : pace.startTimeoutMs);
}

/**
 * True if it may serve eventually, but does not count for waiting invocations: it was running when this pool manager
 * started and has not been reached since, or it has not started and its node is unreachable.
 */
export function isUnheard({ state, functionUid, boundTo, obstacle, createdAt, seenAt, runningSince }: InstanceView, { now, pace }: Clocked): boolean {
  if (state !== "starting" || functionUid !== null || boundTo !== null || obstacle?.kind !== "unreachable") return false;
  const ranBefore = createdAt < seenAt && runningSince === seenAt;
  return (ranBefore || runningSince === null) && now - obstacle.since > pace.lostAfterMs;
}

/** True if it has been lost for so long that a replacement is due. */
export function isGivenUp(instance: InstanceView, world: Clocked): boolean {
  const { obstacle } = instance;
  return isLost(instance, world) && obstacle !== null && world.now - obstacle.since > KEPT_TIMES * world.pace.startTimeoutMs;
}

/**
 * True if a silent router may be using it: this pool manager has not seen it free. It is then not removed as a lost free
 * instance, which is removed without a drain.
 */
export function mayServe({ state, boundTo, unsure }: InstanceView, { isolated }: Pick<World, "isolated">): boolean {
  return state !== "prewarmed" && (boundTo !== null || unsure || isolated);
}

/** True for a function's instance that neither the pool manager nor any router has reached for the start timeout. False if a silent router may be using it. */
export function isAbandoned(instance: InstanceView, { now, pace, isolated }: Pick<World, "now" | "pace" | "isolated">): boolean {
  const { obstacle, inFlight, lastUsedAt, boundTo, functionUid, unsure } = instance;
  if ((boundTo ?? functionUid) === null || inFlight > 0 || unsure || isolated) return false;
  if (obstacle?.kind !== "unreachable" && obstacle?.kind !== "blocked") return false;
  return now - Math.max(obstacle.since, lastUsedAt) > pace.startTimeoutMs;
}
