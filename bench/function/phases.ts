import { build, type Histogram } from "hdr-histogram-js";
import { TIMED_PHASES, timedPhases } from "../../pool-manager/client/server-timing.ts";
import type { Phase } from "../report/scenario.ts";

const LONGEST_US = 3e9;

/** Collects how long the phases of invocations took, as the router reports them. */
export class Phases {
  readonly #times = new Map<string, Histogram>();

  /** `serverTiming`: the value of the header; anything else is ignored. */
  record(serverTiming: unknown): void {
    if (typeof serverTiming !== "string") return;
    for (const [name, ms] of Object.entries(timedPhases(serverTiming))) {
      const times = this.#times.get(name) ?? build({ lowestDiscernibleValue: 1, highestTrackableValue: LONGEST_US, numberOfSignificantValueDigits: 3 });
      this.#times.set(name, times);
      times.recordValue(Math.min(LONGEST_US, Math.round(ms * 1000)));
    }
  }

  /** Undefined: none was recorded. */
  get summary(): Record<string, Phase> | undefined {
    if (this.#times.size === 0) return undefined;
    const at = (times: Histogram, percentile: number) => Math.round(times.getValueAtPercentile(percentile)) / 1000;
    return Object.fromEntries(
      TIMED_PHASES.flatMap((name) => {
        const times = this.#times.get(name);
        return times ? [[name, { p50Ms: at(times, 50), p99Ms: at(times, 99) }]] : [];
      }),
    );
  }
}
