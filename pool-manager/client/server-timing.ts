/** The phases of an invocation that routers report in `server-timing`, in the order in which they happen. */
export const TIMED_PHASES = ["queue", "claim", "load", "run"] as const;
export type TimedPhase = (typeof TIMED_PHASES)[number];

/** The durations of the phases in milliseconds. The router's own metrics come last, after those of the function, which may have the same names. */
export function timedPhases(serverTiming: string): Partial<Record<TimedPhase, number>> {
  const phases: Partial<Record<TimedPhase, number>> = {};
  for (const [, name, ms] of serverTiming.matchAll(/(?:^|,)\s*(queue|claim|load|run);dur=(\d+(?:\.\d+)?)(?=\s*(?:,|$))/g))
    phases[name as TimedPhase] = Number(ms);
  return phases;
}
