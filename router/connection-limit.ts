import { readFileSync } from "node:fs";

/** The share of the process's descriptors that clients' connections may use: each invocation has a second one to its instance, and a quarter of all is left to the API, instances and files. */
const SHARE = 3 / 8;
/** How long no connection has been refused before a refusal is told again. */
const QUIET_MS = 60_000;

/**
 * How many clients may be connected at a time; undefined: the system does not say how many descriptors there are. Node
 * raises the soft limit of its process to the hard one.
 */
export function connectionLimit(limits = readLimits()): number | undefined {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? undefined : Math.max(1, Math.floor(Number(soft) * SHARE));
}

function readLimits(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return "";
  }
}

/** Calls `tell` for the first of a series of refusals. */
export function firstOfSeries(tell: () => void, now: () => number = () => performance.now()): () => void {
  let lastAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (now() - lastAt > QUIET_MS) tell();
    lastAt = now();
  };
}
