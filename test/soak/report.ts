import { growth } from "./checks/check-balance.ts";
import type { Verdict } from "./checks/checker.ts";
import type { HistoryRecord } from "./history.ts";

export interface Report {
  platform: string;
  seed: number;
  minutes: number;
  acts: Record<string, number>;
  invocations: number;
  outcomes: Record<string, { count: number; explained: number }>;
  /** Milliseconds. */
  latency: { p50: number; p99: number; max: number };
  /** Instances that pool managers asked for, and those that they removed, by reason. */
  created: number;
  removed: Record<string, number>;
  crashed: number;
  memory: { of: string; earlyMb: number; lateMb: number }[];
  end: { instances: number; places: number; images: number } | null;
  violations: string[];
}

export interface RunFacts {
  platform: string;
  seed: number;
  minutes: number;
  acts: ReadonlyMap<string, number>;
}

export function report({ platform, seed, minutes, acts }: RunFacts, records: readonly HistoryRecord[], { violations, invocations }: Verdict): Report {
  const { outcomes, latencies } = invocations;
  const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))] ?? 0;
  const last = records.findLast((record) => record.type === "balance");
  return {
    platform,
    seed,
    minutes: Math.round(minutes * 100) / 100,
    acts: Object.fromEntries([...acts].sort()),
    invocations: sum([...outcomes.values()].map(({ count }) => count)),
    outcomes: Object.fromEntries([...outcomes].sort()),
    latency: { p50: at(0.5), p99: at(0.99), max: latencies.at(-1) ?? 0 },
    ...instanceCounts(records),
    memory: growth(records),
    end: last ? { instances: sum(Object.values(last.balance.states)), places: last.balance.places, images: last.balance.images.length } : null,
    violations,
  };
}

function instanceCounts(records: readonly HistoryRecord[]): Pick<Report, "created" | "removed" | "crashed"> {
  const removed: Record<string, number> = {};
  let [created, crashed] = [0, 0];
  for (const record of records) {
    if (record.type !== "event") continue;
    const { event } = record;
    if (event.type === "instance.creating") created += event.count;
    if (event.type === "instance.crashed") crashed += 1;
    if (event.type === "instance.removing") removed[event.reason] = (removed[event.reason] ?? 0) + 1;
  }
  return { created, removed, crashed };
}

/** The same for people: a table in Markdown, and the violations. */
export function print(result: Report): string {
  const { acts, invocations, outcomes, latency, created, removed, crashed, memory, end, violations } = result;
  const lines: [string, string][] = [
    ["soak", `${result.platform}, seed ${result.seed}, ${result.minutes} minutes`],
    ...Object.entries(acts).map(([name, count]): [string, string] => [`act: ${name}`, String(count)]),
    ["invocations", `${invocations}; p50 ${latency.p50} ms, p99 ${latency.p99} ms, longest ${latency.max} ms`],
    ...Object.entries(outcomes).map(([outcome, { count, explained }]): [string, string] => [
      `answered: ${outcome}`,
      outcome === "200" ? String(count) : `${count}, explained ${explained}`,
    ]),
    ["instances made", String(created)],
    ...Object.entries(removed).map(([reason, count]): [string, string] => [`instances removed: ${reason}`, String(count)]),
    ["instances that ended by themselves", String(crashed)],
    ...memory.map(({ of, earlyMb, lateMb }): [string, string] => [`memory: ${of}`, `${earlyMb} MB early, ${lateMb} MB at the end`]),
    ["at the end", end ? `${end.instances} instances listed, ${end.places} there, ${end.images} code images kept` : "not reached"],
    ["violations", String(violations.length)],
  ];
  return ["", "| what | |", "|-|-|", ...lines.map(([name, text]) => `| ${name} | ${text} |`), "", ...violations].join("\n");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
