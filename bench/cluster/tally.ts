import { latencies } from "../driver.ts";
import { type Scenario, scenarioOf } from "../report/scenario.ts";

/** Processor time and requests to the Kubernetes API that starts take. */
export interface Costs {
  ownUs: number;
  machineMs: number;
  writes: number;
}

/** The sum of one scenario's slices. */
export class Tally {
  readonly name: string;
  readonly times = latencies();
  readonly #kinds = new Map<string, number>();
  readonly #sum: Costs = { ownUs: 0, machineMs: 0, writes: 0 };
  n = 0;
  errors = 0;

  constructor(name: string) {
    this.name = name;
  }

  outcome(error: string | null, kind: string): void {
    this.n += 1;
    if (error) this.errors += 1;
    this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
  }

  costs(before: Costs, after: Costs): void {
    for (const name of ["ownUs", "machineMs", "writes"] as const) this.#sum[name] += after[name] - before[name];
  }

  scenario(note = ""): Scenario {
    const per = (value: number) => value / Math.max(1, this.n);
    const kinds = [...this.#kinds].map(([kind, n]) => `${n} ${kind}`).join(", ");
    return {
      ...scenarioOf(this.name, this.n, this.errors, this.times),
      cpuUsPerRequest: Math.round(per(this.#sum.ownUs)),
      machineCpuMsPerStart: Math.round(per(this.#sum.machineMs)),
      apiWritesPerClaim: Math.round(per(this.#sum.writes) * 100) / 100,
      note: [note, kinds].filter(Boolean).join(", "),
    };
  }
}
