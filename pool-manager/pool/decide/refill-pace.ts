import type { Pace } from "./world.ts";

export interface RefillState {
  /** Instances that a pool keeps free, and those that it has, starting ones included. */
  size: number;
  have: number;
  /** Instances that invocations wait for and that are not there. */
  unmet: number;
  /** Some instance takes a function in. */
  specializing: boolean;
  /** Milliseconds since the last one was told to. */
  quietForMs: number;
}

/** How many instances may be starting at once; `recheckAfterMs`: that changes then, though nothing happens. */
export function startsAtOnce(pace: Pace, state: RefillState): { starts: number; recheckAfterMs: number | null } {
  const { urgent, refill } = pace;
  // While invocations wait, the refill goes on beside what is created for them, at its own pace.
  if (state.unmet > 0) return { starts: Math.min(urgent, state.unmet + refill), recheckAfterMs: null };
  return refillOf(pace, state);
}

/**
 * A refill competes with specializing for the processor: it goes one instance at a time, and waits until that is done.
 * Once less than half of the pool is left it no longer waits, and in large pools a quarter of what is missing starts
 * at once; an empty pool is urgent.
 */
function refillOf({ urgent, refill, refillDelayMs }: Pace, { size, have, specializing, quietForMs }: RefillState) {
  if (have === 0) return { starts: urgent, recheckAfterMs: null };
  if (have < size / 2) return { starts: Math.max(refill, Math.ceil((size - have) / 4)), recheckAfterMs: null };
  if (specializing) return { starts: 0, recheckAfterMs: null };
  if (quietForMs >= refillDelayMs) return { starts: refill, recheckAfterMs: null };
  return { starts: 0, recheckAfterMs: Math.max(1, refillDelayMs - quietForMs) };
}
