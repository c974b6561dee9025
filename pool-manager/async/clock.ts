import { type AwakeTime, awakeTime } from "./awake-time.ts";

/** Time and scheduling, so that a simulation can control them. */
export interface Clock {
  /** Milliseconds; monotonic, with fractions. */
  now(): number;
  /** Calls `fn` once after `ms` milliseconds; returns the function that cancels it. */
  after(ms: number, fn: () => void): () => void;
  /** Calls `fn` in the next turn of the event loop. */
  soon(fn: () => void): void;
}

/** A clock of this process. */
type ProcessClock = Clock & Pick<AwakeTime, "onGap">;

/** Its `now` leaves out time in which this process stood still; its timers do not, and whoever they wake looks at `now`. */
export function processClock(): ProcessClock {
  const { now, onGap } = awakeTime(() => performance.now());
  return {
    now,
    onGap,
    after(ms, fn) {
      const timer = setTimeout(fn, ms);
      return () => clearTimeout(timer);
    },
    soon: (fn) => void setImmediate(fn),
  };
}

/** The one that all parts of a pool manager share. */
export const realClock: ProcessClock = processClock();
