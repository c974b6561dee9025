import { expiry } from "../pool-manager/client/expiry.ts";

/** Time as invocations see it, so that a simulation can control it. */
export interface Clock {
  /** Milliseconds; monotonic. */
  now(): number;
  /** Calls `run` once after `ms` milliseconds, and after input that has arrived by then was read; returns the function that cancels it. */
  after(ms: number, run: () => void): () => void;
}

export const processClock: Clock = { now: () => performance.now(), after: expiry };
