import Table from "cli-table3";
import type { Scenario } from "./scenario.ts";

export function printScenarios(scenarios: readonly Scenario[]): void {
  const head = ["scenario", "n", "p50 ms", "p90 ms", "p99 ms", "max ms", "errors", "req/s", "CPU µs/req", "CPU ms/start", "writes", ""];
  const table = new Table({ head, colAligns: ["left", ...Array<"right">(10).fill("right"), "left"], style: { head: [], border: [] } });
  const number = (value: number | undefined, digits = 2) => (value === undefined ? "" : value.toFixed(digits));
  for (const { name, n, p50Ms, p90Ms, p99Ms, maxMs, errors, requestsPerSecond, cpuUsPerRequest, machineCpuMsPerStart, apiWritesPerClaim, note } of scenarios) {
    const times = [p50Ms, p90Ms, p99Ms, maxMs].map((value) => number(value));
    table.push([
      name,
      n,
      ...times,
      errors,
      number(requestsPerSecond, 0),
      number(cpuUsPerRequest, 0),
      number(machineCpuMsPerStart, 0),
      number(apiWritesPerClaim),
      note ?? "",
    ]);
  }
  process.stdout.write(`${table.toString()}\n`);
}
