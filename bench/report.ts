import { cpus, totalmem } from "node:os";
import Table from "cli-table3";
import type { Histogram } from "hdr-histogram-js";

/** One line of a benchmark's result; fields that do not apply are left out. */
export interface Scenario {
  name: string;
  n: number;
  p50Ms?: number;
  p90Ms?: number;
  p99Ms?: number;
  maxMs?: number;
  errors: number;
  requestsPerSecond?: number;
  /** Processor time of pool manager and router per request, in microseconds. */
  cpuUsPerRequest?: number;
  note?: string;
}

export function scenarioOf(name: string, n: number, errors: number, histogram: Histogram): Scenario {
  const at = (percentile: number) => Math.round(histogram.getValueAtPercentile(percentile)) / 1000;
  if (histogram.totalCount === 0) return { name, n, errors };
  return { name, n, errors, p50Ms: at(50), p90Ms: at(90), p99Ms: at(99), maxMs: histogram.maxValue / 1000 };
}

export function machine(): Record<string, unknown> {
  const [first] = cpus();
  return { cpu: first?.model.trim(), cores: cpus().length, memoryGb: Math.round(totalmem() / 2 ** 30), os: process.platform, node: process.version };
}

export function printScenarios(scenarios: readonly Scenario[]): void {
  const head = ["scenario", "n", "p50 ms", "p90 ms", "p99 ms", "max ms", "errors", "req/s", "CPU µs/req", ""];
  const table = new Table({ head, colAligns: ["left", ...Array<"right">(8).fill("right"), "left"], style: { head: [], border: [] } });
  const number = (value: number | undefined, digits = 2) => (value === undefined ? "" : value.toFixed(digits));
  for (const { name, n, p50Ms, p90Ms, p99Ms, maxMs, errors, requestsPerSecond, cpuUsPerRequest, note } of scenarios) {
    const times = [p50Ms, p90Ms, p99Ms, maxMs].map((value) => number(value));
    table.push([name, n, ...times, errors, number(requestsPerSecond, 0), number(cpuUsPerRequest, 0), note ?? ""]);
  }
  process.stdout.write(`${table.toString()}\n`);
}
