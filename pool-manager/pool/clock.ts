/** Time and scheduling, so that a simulation can own them. */
export interface Clock {
  /** Milliseconds; monotonic, with fractions. */
  now(): number;
  /** Calls `fn` once after `ms` milliseconds; returns its cancellation. */
  after(ms: number, fn: () => void): () => void;
  /** Calls `fn` as soon as the present work has ended. */
  soon(fn: () => void): void;
}

export const realClock: Clock = {
  now: () => performance.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
  soon: (fn) => void setImmediate(fn),
};
