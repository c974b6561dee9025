import type { Slot } from "./slot.ts";

/**
 * The instance for the next invocation: the one that became idle last (its caches are warm, and the
 * others can be reaped), else the one with the fewest invocations. Null if none has a free slot.
 * `idle` has the slots without invocations; its last one became idle last.
 */
export function pick(idle: readonly Slot[], slots: Iterable<Slot>, concurrency: number, now: number): Slot | null {
  for (let i = idle.length - 1; i >= 0; i--) {
    const slot = idle[i] as Slot;
    if (slot.blockedUntil <= now) return slot;
  }
  let best: Slot | null = null;
  for (const slot of slots) {
    if (slot.endpoint === null || slot.blockedUntil > now || slot.inFlight >= concurrency) continue;
    if (best === null || slot.inFlight < best.inFlight) best = slot;
  }
  return best;
}
