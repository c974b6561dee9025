/** The time is read at least this often. */
const TICK_MS = 500;
/** A reading that comes this much later than the tick tells of a gap. */
const LATE_MS = 2000;

export interface AwakeTime {
  /** Milliseconds. */
  now(): number;
  /** `listener` is told of each gap, after the work in which it was noticed; at most one listens. */
  onGap(listener: (ms: number) => void): void;
}

/**
 * Time in which this process looked: where it stood still (it was stopped, or its machine slept, or it was kept busy), the
 * time that it missed is left out for good. What it has not heard of meanwhile was not silent; an age is the time in which
 * something could have been noticed. Each reading notices a gap, not only the tick: a timer that is overdue may run first.
 */
export function awakeTime(read: () => number, tick: (check: () => void, ms: number) => void = ticking): AwakeTime {
  let last: number | null = null;
  let missed = 0;
  let told: (ms: number) => void = () => {};
  const now = () => {
    const at = read();
    if (last === null) tick(now, TICK_MS);
    const gap = at - (last ?? at) - TICK_MS;
    last = at;
    if (gap > LATE_MS) {
      missed += gap;
      setImmediate(() => told(gap));
    }
    return at - missed;
  };
  return {
    now,
    onGap: (listener) => {
      told = listener;
    },
  };
}

/** It keeps no process alive. */
function ticking(check: () => void, ms: number): void {
  setInterval(check, ms).unref();
}
