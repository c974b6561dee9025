import { decodeFromCompressedBase64, type Histogram } from "hdr-histogram-js";
import type { Result } from "./result.ts";
import type { Scenario } from "./scenario.ts";

const QUANTILES = { p50: 0.5, p99: 0.99 };
/** The two-sided 95 % point of the normal distribution. */
const Z = 1.96;
/** More processor time than this share, taken by the hypervisor, makes figures doubtful. */
const MOST_STOLEN = 0.05;

/** `unknown`: a result holds no latencies, or too few for an interval. */
export type Verdict = "faster" | "slower" | "within the noise" | "unknown";

/** One quantile of a scenario in both results. */
export interface Row {
  scenario: string;
  quantile: string;
  /** The number of invocations in each. */
  n: [number, number];
  beforeMs: number;
  afterMs: number;
  /** After divided by before, and the interval in which it is with 95 % confidence; null: not known. */
  ratio: number;
  interval: [number, number] | null;
  verdict: Verdict;
}

export interface Comparison {
  rows: Row[];
  /** Scenarios that only one result has. */
  onlyBefore: string[];
  onlyAfter: string[];
  /** Sentences that say why the comparison may mislead. */
  doubts: string[];
}

/** Compares two results scenario by scenario. */
export function compare(before: Result, after: Result): Comparison {
  const named = (result: Result) => new Map(result.scenarios.map((scenario) => [scenario.name, scenario]));
  const [old, fresh] = [named(before), named(after)];
  const rows = [...old.values()].flatMap((scenario) => {
    const other = fresh.get(scenario.name);
    return other ? rowsOf(scenario, other) : [];
  });
  const missing = (from: Map<string, Scenario>, other: Map<string, Scenario>) => [...from.keys()].filter((name) => !other.has(name));
  return { rows, onlyBefore: missing(old, fresh), onlyAfter: missing(fresh, old), doubts: doubtsOf(before, after) };
}

function rowsOf(before: Scenario, after: Scenario): Row[] {
  const [old, fresh] = [histogramOf(before), histogramOf(after)];
  return Object.entries(QUANTILES).flatMap(([quantile, q]) => {
    const field = `${quantile}Ms` as "p50Ms" | "p99Ms";
    const [beforeMs, afterMs] = [before[field], after[field]];
    if (beforeMs === undefined || afterMs === undefined) return [];
    const ratio = afterMs / beforeMs;
    const interval = old && fresh ? ratioInterval(quantileInterval(old, q), quantileInterval(fresh, q)) : null;
    return [{ scenario: before.name, quantile, n: [before.n, after.n], beforeMs, afterMs, ratio, interval, verdict: verdictOf(interval) }];
  });
}

function histogramOf({ latencies }: Scenario): Histogram | null {
  return latencies === undefined ? null : decodeFromCompressedBase64(latencies);
}

/**
 * The interval in which a quantile is with 95 % confidence, in the histogram's unit: between two order statistics, whose ranks
 * follow from the binomial distribution, whatever the distribution of the values. Null: there are too few values.
 */
export function quantileInterval(histogram: Histogram, q: number): [number, number] | null {
  const n = histogram.totalCount;
  const spread = Z * Math.sqrt(n * q * (1 - q));
  const low = Math.floor(n * q - spread);
  const high = Math.ceil(n * q + spread) + 1;
  if (low < 1 || high > n) return null;
  const at = (rank: number) => histogram.getValueAtPercentile((100 * rank) / n);
  return [at(low), at(high)];
}

function ratioInterval(before: [number, number] | null, after: [number, number] | null): [number, number] | null {
  return before && after && before[0] > 0 ? [after[0] / before[1], after[1] / before[0]] : null;
}

function verdictOf(interval: [number, number] | null): Verdict {
  if (!interval) return "unknown";
  if (interval[1] < 1) return "faster";
  return interval[0] > 1 ? "slower" : "within the noise";
}

function doubtsOf(before: Result, after: Result): string[] {
  const doubts: string[] = [];
  for (const field of ["cpu", "cores", "memoryGb", "os", "node"]) {
    const [was, is] = [before.machine[field], after.machine[field]];
    if (was !== is) doubts.push(`The machines differ: ${field} is ${was} before and ${is} after.`);
  }
  if (before.platform && after.platform && before.platform !== after.platform)
    doubts.push(`The platforms differ: ${before.platform} before, ${after.platform} after.`);
  if (Boolean(before.quick) !== Boolean(after.quick)) doubts.push("One of the results is of a quick run.");
  for (const [when, { machine, scenarios }] of [["before", before] as const, ["after", after] as const]) {
    const stolen = Number(machine.stolen ?? 0);
    if (stolen > MOST_STOLEN) doubts.push(`The hypervisor took ${(100 * stolen).toFixed(0)} % of the processor time away ${when}.`);
    const failed = scenarios.filter(({ errors }) => errors > 0).map(({ name, errors }) => `${errors} of ${name}`);
    if (failed.length > 0) doubts.push(`Invocations failed ${when}: ${failed.join(", ")}.`);
  }
  return doubts;
}
