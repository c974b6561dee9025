import type { Histogram } from "hdr-histogram-js";
import { latencies, type Outcome, type Shots, sendEvery, sendInTurn } from "../driver.ts";
import { type Scenario, scenarioOf } from "../report/scenario.ts";
import type { Arrivals } from "./arrivals.ts";
import { Phases } from "./phases.ts";

/** Sends the first invocations of new functions. */
export function send(arrivals: Arrivals, intervalMs: number, shots: Shots): Promise<Histogram> {
  if (arrivals === "sequential") return sendInTurn(shots);
  return sendEvery(arrivals === "staggered" ? intervalMs : 0, shots);
}

interface Kind {
  times: Histogram;
  phases: Phases;
}

/** The first invocations of one way of arriving, by the kind of start that each had. */
export class Starts {
  readonly #arrivals: string;
  readonly #kinds = new Map<string, Kind>();
  #failed = 0;
  #firstError = "";

  constructor(arrivals: string) {
    this.#arrivals = arrivals;
  }

  record({ headers, firstByteMs, error }: Outcome): void {
    if (error !== null) {
      if (this.#failed === 0) this.#firstError = error;
      this.#failed += 1;
      return;
    }
    const name = String(headers["x-berth-start"]);
    const kind = this.#kinds.get(name) ?? { times: latencies(), phases: new Phases() };
    this.#kinds.set(name, kind);
    kind.times.recordValue(Math.max(1, Math.round(firstByteMs * 1000)));
    kind.phases.record(headers["server-timing"]);
  }

  /** A scenario for each kind of start, and one for what failed. */
  get scenarios(): Scenario[] {
    const kinds = [...this.#kinds].sort(([one], [other]) => other.localeCompare(one));
    const found: Scenario[] = kinds.map(([name, { times, phases }]) => ({
      ...scenarioOf(`${this.#arrivals} ${name}`, times.totalCount, 0, times),
      phases: phases.summary,
    }));
    return this.#failed > 0
      ? [...found, { name: `${this.#arrivals} failed`, n: this.#failed, errors: this.#failed, note: `first: ${this.#firstError}` }]
      : found;
  }
}
