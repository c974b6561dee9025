import { build, type Histogram } from "hdr-histogram-js";
import type { Phase } from "../report/scenario.ts";

/** The phases in `server-timing`, in the order in which they happen; a function's own metrics come after them. */
const PHASES = ["queue", "claim", "load", "run"];

/** Collects how long the phases of invocations took, as the router reports them. */
export class Phases {
  readonly #times = new Map<string, Histogram>();

  /** `serverTiming`: the value of the header; anything else is ignored. */
  record(serverTiming: unknown): void {
    if (typeof serverTiming !== "string") return;
    for (const [name, ms] of durationsOf(serverTiming)) {
      const times = this.#times.get(name) ?? build({ lowestDiscernibleValue: 1, highestTrackableValue: 3e9, numberOfSignificantValueDigits: 3 });
      this.#times.set(name, times);
      times.recordValue(Math.round(ms * 1000));
    }
  }

  /** Undefined: none was recorded. */
  get summary(): Record<string, Phase> | undefined {
    if (this.#times.size === 0) return undefined;
    const at = (times: Histogram, percentile: number) => Math.round(times.getValueAtPercentile(percentile)) / 1000;
    return Object.fromEntries(
      PHASES.flatMap((name) => {
        const times = this.#times.get(name);
        return times ? [[name, { p50Ms: at(times, 50), p99Ms: at(times, 99) }]] : [];
      }),
    );
  }
}

/** The durations of the phases in milliseconds; of metrics of the same name the first. */
export function durationsOf(serverTiming: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const metric of serverTiming.split(",")) {
    const [name = "", ...parameters] = metric.split(";").map((part) => part.trim());
    const ms = Number(parameters.find((part) => part.startsWith("dur="))?.slice(4));
    if (PHASES.includes(name) && !found.has(name) && ms >= 0 && ms < 3e6) found.set(name, ms);
  }
  return found;
}
