import { random as randomOf } from "../../driver.ts";
import { type Trace, TraceBuilder } from "../trace.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Shares of functions whose invocations are timed, random, and in bursts. */
const TIMED = 0.25;
const RANDOM = 0.4;
/** Periods of timers in minutes. */
const PERIODS = [1, 5, 5, 10, 15, 15, 30, 60, 60, 120, 360, 1440];
/**
 * Mean and deviation of the logarithm of a function's invocations a day: 45 % of the functions have at most one an hour, and
 * 81 % at most one a minute (Shahrad et al., Serverless in the Wild, USENIX ATC 2020, figure 5).
 */
const LOG_MEAN = 3.69;
const LOG_DEVIATION = 4.08;

export interface Generated {
  seed: number;
  functions: number;
  days: number;
  /** Most invocations of a function a day: the most popular ones are warm under every policy, and only take time. */
  mostPerDay: number;
}

/** A trace in the style of the Azure Functions traces: heavy-tailed popularity, timers, a daily wave and bursts. The same options give the same trace. */
export function generate({ seed, functions, days, mostPerDay }: Generated): Trace {
  const random = randomOf(seed);
  const trace = new TraceBuilder();
  const lengthMs = days * DAY_MS;
  for (let i = 0; i < functions; i++) {
    const durationMs = Math.min(60_000, Math.exp(normal(random) * 1.5 + Math.log(300)));
    const perDay = Math.min(mostPerDay, Math.exp(LOG_MEAN + LOG_DEVIATION * normal(random)));
    const add = (at: number) => {
      if (at < lengthMs) trace.add(`f${i}`, at, durationMs * (0.5 + random()));
    };
    const kind = random();
    if (kind < TIMED) timed(random, lengthMs, add);
    else if (kind < TIMED + RANDOM) wave({ random, lengthMs, perDay, depth: random() }, add);
    else bursts({ random, lengthMs, perDay, depth: random() }, add);
  }
  return trace.build(lengthMs);
}

/** One invocation each period, up to two seconds late. */
function timed(random: () => number, lengthMs: number, add: (at: number) => void): void {
  const period = (PERIODS[Math.floor(random() * PERIODS.length)] as number) * 60_000;
  for (let at = random() * period; at < lengthMs; at += period) add(at + 2000 * random());
}

interface Rate {
  random: () => number;
  lengthMs: number;
  perDay: number;
  /** Share of the rate that the daily wave takes away at its lowest. */
  depth: number;
}

/** Independent invocations whose rate has a daily wave. */
function wave({ random, lengthMs, perDay, depth }: Rate, add: (at: number) => void): void {
  const peak = perDay / (1 - depth / 2);
  for (let at = exponential(random, DAY_MS / peak); at < lengthMs; at += exponential(random, DAY_MS / peak)) {
    if (random() < 1 - (depth * (1 + Math.cos((2 * Math.PI * at) / DAY_MS))) / 2) add(at);
  }
}

/** Sessions with a geometric number of invocations, seconds to minutes apart. */
function bursts({ random, lengthMs, perDay, depth }: Rate, add: (at: number) => void): void {
  const size = 1 + exponential(random, 20);
  const gap = 1000 * Math.exp(random() * Math.log(120));
  wave({ random, lengthMs, perDay: perDay / size, depth }, (start) => {
    for (let at = start; random() > 1 / (size + 1) || at === start; at += exponential(random, gap)) add(at);
  });
}

function exponential(random: () => number, mean: number): number {
  return -Math.log(1 - random()) * mean;
}

/** Box and Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
