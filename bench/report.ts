import { existsSync, readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import Table from "cli-table3";
import type { Histogram } from "hdr-histogram-js";

/** Memory of a process in MB: private, and with its share of memory shared with others (PSS). */
export interface Footprint {
  privateMb: number;
  pssMb: number;
}

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
  /** Processor time of the whole machine per start, including instances, kubelet and control plane. */
  machineCpuMsPerStart?: number;
  /** Berth's writes to the API server for each claim: CloneSet and pod, without refills. */
  apiWritesPerClaim?: number;
  /** Throughput of a closed loop, by the number of connections. */
  requestsPerSecondAt?: Record<number, number>;
  /** Processor time per request as a multiple of nginx's. */
  cpuOfNginx?: number;
  /** Processor time of the server per invocation, in microseconds: all processes of the instance, or the bare server. */
  instanceCpuUsPerRequest?: number;
  /** The same as a multiple of the node signature's, and of the bare server's. */
  instanceOfNode?: number;
  instanceOfBare?: number;
  /** The latency that a front adds to that of the instance itself at the same rate. */
  addedP50Ms?: number;
  addedP99Ms?: number;
  /** How long the whole scenario took. */
  seconds?: number;
  /** How long each tenth of it took. */
  tenthsSeconds?: number[];
  /** The time from a start to `berth ready`, and to the first answer of a function. */
  readyMs?: number;
  firstAnswerMs?: number;
  /** The number of answers by status and error code. */
  answers?: Record<string, number>;
  /** Memory of pool manager and router, before and after. */
  memory?: Footprint[];
  /** The time from the end of an overload until latencies are back to normal. */
  recoverySeconds?: number;
  note?: string;
}

export function scenarioOf(name: string, n: number, errors: number, histogram: Histogram): Scenario {
  const at = (percentile: number) => Math.round(histogram.getValueAtPercentile(percentile)) / 1000;
  if (histogram.totalCount === 0) return { name, n, errors };
  return { name, n, errors, p50Ms: at(50), p90Ms: at(90), p99Ms: at(99), maxMs: histogram.maxValue / 1000 };
}

/** The share of processor time that the hypervisor took away since the last call (steal); it invalidates the figures measured meanwhile. */
export function stolen(): number {
  if (!existsSync("/proc/stat")) return 0;
  const now = machineTimes();
  const delta = now.map((value, i) => value - (lastTimes[i] ?? 0));
  lastTimes = now;
  return (
    Math.round(
      (1000 * (delta[7] ?? 0)) /
        Math.max(
          1,
          delta.reduce((sum, value) => sum + value, 0),
        ),
    ) / 1000
  );
}
let lastTimes: number[] = [];

/** Clock ticks per second in /proc/PID/stat: 100 on every Linux that Node runs on. */
const TICKS = 100;

/** The processor time of a process so far, in microseconds. */
export function processCpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1e6;
}

/** Clock ticks of all processors since boot: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)). */
export function machineTimes(): number[] {
  const [first = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  return first.trim().split(/\s+/).slice(1, 9).map(Number);
}

export function machine(): Record<string, unknown> {
  const [first] = cpus();
  return { cpu: first?.model.trim(), cores: cpus().length, memoryGb: Math.round(totalmem() / 2 ** 30), os: process.platform, node: process.version };
}

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
