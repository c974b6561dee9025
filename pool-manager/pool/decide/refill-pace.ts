import type { Pace } from "./world.ts";

export interface RefillState {
  /** Number of instances that the pool keeps free (`size`), and that it has, including starting ones (`have`). */
  size: number;
  have: number;
  /** Number of missing instances that invocations wait for. */
  unmet: number;
  /** An instance is being specialized. */
  specializing: boolean;
  /** Time since the last specialization was ordered. */
  quietForMs: number;
  /** Concurrent refills that the rate of claims needs; 0: the pace decides. */
  refills: number;
}

/** How many instances may be starting concurrently; `recheckAfterMs`: when that changes without an event, or null. */
export function startsAtOnce(pace: Pace, state: RefillState): { starts: number; recheckAfterMs: number | null } {
  const { urgent } = pace;
  const refill = Math.max(pace.refill, state.refills);
  // While invocations wait, the refill continues at its own pace in addition to the instances created for them.
  if (state.unmet > 0) return { starts: Math.min(urgent, state.unmet + refill), recheckAfterMs: null };
  return refillOf(pace, state);
}

/**
 * A refill competes with specialization for the processor: it starts `refill` instances at a time, after specialization
 * is done. Below half of the pool's size it does not wait, and a quarter of the missing instances may start concurrently;
 * an empty pool is urgent.
 */
function refillOf({ urgent, refill, refillDelayMs }: Pace, { size, have, specializing, quietForMs, refills }: RefillState) {
  if (have === 0) return { starts: urgent, recheckAfterMs: null };
  if (have < size / 2) return { starts: Math.max(refill, refills, Math.ceil((size - have) / 4)), recheckAfterMs: null };
  // Claims that need more refills than the pace's never leave it quiet.
  if (refills > refill) return { starts: refills, recheckAfterMs: null };
  if (specializing) return { starts: 0, recheckAfterMs: null };
  if (quietForMs >= refillDelayMs) return { starts: refill, recheckAfterMs: null };
  return { starts: 0, recheckAfterMs: Math.max(1, refillDelayMs - quietForMs) };
}
