import type { Slot } from "./slot.ts";

/**
 * The instance for the next invocation: the one that became idle last (its caches are warm, and the
 * others can be reaped), else the one with the fewest invocations. Null if none has a free slot.
 * `idle` is a stack, its top last; entries that are no longer idle are removed from it.
 */
export function pick(idle: Slot[], slots: Iterable<Slot>, concurrency: number, now: number): Slot | null {
  for (let i = idle.length - 1; i >= 0; i--) {
    const slot = idle[i] as Slot;
    if (slot.inFlight > 0 || slot.endpoint === null) idle.splice(i, 1);
    else if (slot.blockedUntil <= now) return slot;
  }
  let best: Slot | null = null;
  for (const slot of slots) {
    if (slot.endpoint === null || slot.blockedUntil > now || slot.inFlight >= concurrency) continue;
    if (best === null || slot.inFlight < best.inFlight) best = slot;
  }
  return best;
}
