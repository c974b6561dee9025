import { encodeIntoCompressedBase64, type Histogram } from "hdr-histogram-js";

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
  /** Phases of an invocation, from its `server-timing`. */
  phases?: Record<string, Phase>;
  /** All latencies in microseconds: an HdrHistogram in its compressed V2 encoding, as base64. */
  latencies?: string;
  /** Replays: shares of the invocations that no warm instance served at once, and that waited for a new instance. */
  startShare?: number;
  createdShare?: number;
  /** Memory of all instances over time, in MB·s. */
  memorySeconds?: number;
  note?: string;
}

/** How long one phase took. */
export interface Phase {
  p50Ms: number;
  p99Ms: number;
}

export function scenarioOf(name: string, n: number, errors: number, histogram: Histogram): Scenario {
  const at = (percentile: number) => Math.round(histogram.getValueAtPercentile(percentile)) / 1000;
  if (histogram.totalCount === 0) return { name, n, errors };
  return { name, n, errors, p50Ms: at(50), p90Ms: at(90), p99Ms: at(99), maxMs: histogram.maxValue / 1000, latencies: encodeIntoCompressedBase64(histogram) };
}
