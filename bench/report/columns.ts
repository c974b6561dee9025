import type { Scenario } from "./scenario.ts";

export interface Column {
  title: string;
  /** Empty: the scenario has no such value. */
  value(scenario: Scenario): string;
}

const COLUMNS: Column[] = [
  { title: "n", value: ({ n }) => String(n) },
  { title: "p50 ms", value: ({ p50Ms }) => number(p50Ms) },
  { title: "p90 ms", value: ({ p90Ms }) => number(p90Ms) },
  { title: "p99 ms", value: ({ p99Ms }) => number(p99Ms) },
  { title: "max ms", value: ({ maxMs }) => number(maxMs) },
  { title: "starts %", value: ({ startShare }) => number(startShare === undefined ? undefined : 100 * startShare, 3) },
  { title: "created %", value: ({ createdShare }) => number(createdShare === undefined ? undefined : 100 * createdShare, 3) },
  { title: "GB·h", value: ({ memorySeconds }) => number(memorySeconds === undefined ? undefined : memorySeconds / 1024 / 3600, 2) },
  { title: "errors", value: ({ errors }) => String(errors) },
  { title: "req/s", value: ({ requestsPerSecond }) => number(requestsPerSecond, 0) },
  { title: "CPU µs/req", value: ({ cpuUsPerRequest }) => number(cpuUsPerRequest, 0) },
  { title: "CPU ms/start", value: ({ machineCpuMsPerStart }) => number(machineCpuMsPerStart, 0) },
  { title: "writes", value: ({ apiWritesPerClaim }) => number(apiWritesPerClaim) },
];

/** The columns for which some scenario has a value. */
export function columnsOf(scenarios: readonly Scenario[]): Column[] {
  return COLUMNS.filter(({ value }) => scenarios.some((scenario) => value(scenario) !== ""));
}

function number(value: number | undefined, digits = 2): string {
  return value === undefined ? "" : value.toFixed(digits);
}
