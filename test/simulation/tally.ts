/** Everything that has to happen at least once in a run: a fault that never occurs tests nothing. */
export const FAULTS = [
  "event dropped",
  "event delayed",
  "event duplicated",
  "boot never ends",
  "call lost",
  "call slow",
  "call duplicated",
  "answer lost",
  "order misrouted",
  "rogue order",
  "order of an older boot",
  "demand dropped",
  "demand delayed",
  "demand duplicated",
  "table link broken",
  "invocation delayed",
  "invocation misrouted",
  "instance killed",
  "instance restarted",
  "worker crashed",
  "code throws",
  "code hangs",
  "function hangs",
  "client gone",
  "observation unsynced",
  "manager restarted",
  "instance unheard",
  "function not listed yet",
  "router cut off",
  "terms from a backup",
] as const;

export const TRANSITIONS = [
  "starting → prewarmed",
  "prewarmed → specializing",
  "specializing → warm",
  "specializing → failed",
  "warm → specializing",
  "warm → draining",
  "prewarmed → draining",
  "specializing → draining",
  "draining → gone",
  "warm → failed",
  "warm → gone",
  "prewarmed → gone",
  "failed → gone",
] as const;

export const REFUSALS = [
  "request stale",
  "request full",
  "request draining",
  "order uid",
  "order boot",
  "order epoch",
  "order term",
  "order function",
  "order state",
] as const;

/** Transitions of the invocations of a revision that is no longer served by itself. */
export const REROUTED = ["rerouted waiting", "rerouted running"] as const;

/** How often each fault, transition, refusal and outcome occurred. */
export class Tally {
  readonly counts = new Map<string, number>();

  constructor() {
    for (const name of [...FAULTS, ...TRANSITIONS, ...REFUSALS, ...REROUTED]) this.counts.set(name, 0);
  }

  fault(name: string): void {
    this.add(name);
  }

  add(name: string, by = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by);
  }

  merge(other: Tally): void {
    for (const [name, count] of other.counts) this.add(name, count);
  }

  never(): string[] {
    return [...FAULTS, ...TRANSITIONS, ...REFUSALS, ...REROUTED].filter((name) => this.counts.get(name) === 0);
  }

  print(): string {
    const width = Math.max(...[...this.counts.keys()].map((name) => name.length));
    return [...this.counts].map(([name, count]) => `  ${name.padEnd(width)} ${String(count).padStart(9)}`).join("\n");
  }
}
