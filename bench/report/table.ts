import Table from "cli-table3";
import { columnsOf } from "./columns.ts";
import type { Comparison } from "./compare.ts";
import type { Phase, Scenario } from "./scenario.ts";

/** Prints scenarios as a table, without the columns that none of them has a value for. */
export function printScenarios(scenarios: readonly Scenario[]): void {
  const columns = columnsOf(scenarios);
  const table = new Table({
    head: ["scenario", ...columns.map(({ title }) => title), ""],
    colAligns: ["left", ...columns.map(() => "right" as const), "left"],
    style: { head: [], border: [] },
  });
  for (const scenario of scenarios) table.push([scenario.name, ...columns.map(({ value }) => value(scenario)), scenario.note ?? ""]);
  process.stdout.write(`${table.toString()}\n`);
}

/** Prints the phases of each scenario that has them. */
export function printPhases(scenarios: readonly Scenario[]): void {
  const timed = scenarios.filter(({ phases }) => phases !== undefined);
  if (timed.length === 0) return;
  const names = [...new Set(timed.flatMap(({ phases }) => Object.keys(phases ?? {})))];
  const table = new Table({
    head: ["p50 / p99 ms", ...names],
    colAligns: ["left", ...names.map(() => "right" as const)],
    style: { head: [], border: [] },
  });
  const cell = (phase: Phase | undefined) => (phase ? `${phase.p50Ms.toFixed(2)} / ${phase.p99Ms.toFixed(2)}` : "");
  for (const { name, phases } of timed) table.push([name, ...names.map((phase) => cell(phases?.[phase]))]);
  process.stdout.write(`${table.toString()}\n`);
}

/** Prints a comparison and what makes it doubtful. */
export function printComparison({ rows, onlyBefore, onlyAfter, doubts }: Comparison): void {
  const table = new Table({
    head: ["scenario", "", "n", "before ms", "after ms", "after / before", "95 % interval", "verdict"],
    colAligns: ["left", "left", "right", "right", "right", "right", "right", "left"],
    style: { head: [], border: [] },
  });
  for (const { scenario, quantile, n, beforeMs, afterMs, ratio, interval, verdict } of rows) {
    const between = interval ? `${interval[0].toFixed(2)} to ${interval[1].toFixed(2)}` : "";
    table.push([scenario, quantile, n.join(", "), beforeMs.toFixed(2), afterMs.toFixed(2), ratio.toFixed(2), between, verdict]);
  }
  process.stdout.write(`${table.toString()}\n`);
  if (onlyBefore.length > 0) process.stdout.write(`only before: ${onlyBefore.join(", ")}\n`);
  if (onlyAfter.length > 0) process.stdout.write(`only after: ${onlyAfter.join(", ")}\n`);
  for (const doubt of doubts) process.stdout.write(`doubt: ${doubt}\n`);
  process.stdout.write(`${NOISE}\n`);
}

const NOISE =
  "The interval is the noise within each run. Runs at other times differ by more: repeat both in turns before you conclude. Unknown: too few invocations, or none recorded.";
