import type { Histogram } from "hdr-histogram-js";
import { latencies } from "../driver.ts";

/** The result of a policy on a trace. */
export class Tally {
  invocations = 0;
  /** Invocations that no warm instance served at once, and those of them that waited for a new instance. */
  starts = 0;
  created = 0;
  /** Time from arrival until an instance serves, in microseconds. */
  readonly waits: Histogram = latencies();
  readonly #ofFunction: { invocations: number; starts: number }[];

  constructor(functions: number) {
    this.#ofFunction = Array.from({ length: functions }, () => ({ invocations: 0, starts: 0 }));
  }

  served(of: number, kind: "warm" | "prewarmed" | "cold", waitMs: number): void {
    const own = this.#ofFunction[of] as { invocations: number; starts: number };
    this.invocations += 1;
    own.invocations += 1;
    this.waits.recordValue(Math.max(1, Math.round(waitMs * 1000)));
    if (kind === "warm") return;
    this.starts += 1;
    own.starts += 1;
    if (kind === "cold") this.created += 1;
  }

  /** A quantile of the functions' shares of invocations that needed a start, each function counted once. */
  startShareOfFunctions(quantile: number): number {
    const shares = this.#ofFunction.filter(({ invocations }) => invocations > 0).map(({ invocations, starts }) => starts / invocations);
    shares.sort((a, b) => a - b);
    return shares[Math.min(shares.length - 1, Math.floor(quantile * shares.length))] ?? 0;
  }
}
