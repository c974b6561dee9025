/** How often the time is read at least. */
const TICK_MS = 500;
/** A reading that comes this much later than the tick indicates a gap. */
const LATE_MS = 2000;

export interface AwakeTime {
  /** Milliseconds. */
  now(): number;
  /** Calls `listener` with the length of each gap in milliseconds, after the work that noticed it. A later listener replaces it. */
  onGap(listener: (ms: number) => void): void;
}

/**
 * A clock that counts only the time in which this process could observe. While it was stalled (stopped, on a sleeping
 * machine, or busy), the missed time is left out for good: peers that it did not hear were not silent, and an age is the
 * time in which something could have been noticed. Every reading detects a gap, not only the tick: an overdue timer may
 * run first.
 */
export function awakeTime(read: () => number, tick: (check: () => void, ms: number) => void = ticking): AwakeTime {
  let last: number | null = null;
  let missed = 0;
  let listener: (ms: number) => void = () => {};
  const now = () => {
    const at = read();
    if (last === null) tick(now, TICK_MS);
    const gap = at - (last ?? at) - TICK_MS;
    last = at;
    if (gap > LATE_MS) {
      missed += gap;
      setImmediate(() => listener(gap));
    }
    return at - missed;
  };
  return {
    now,
    onGap: (onGap) => {
      listener = onGap;
    },
  };
}

/** The default tick, which does not keep the process alive. */
function ticking(check: () => void, ms: number): void {
  setInterval(check, ms).unref();
}
