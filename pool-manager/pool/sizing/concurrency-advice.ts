import { type Depths, depthOf, totalOf } from "./depths.ts";
import { rounded } from "./pool-advice.ts";

/** Concurrencies that are compared, besides the present one. */
const COMPARED = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
/** A higher concurrency has to save more than this share of the busy time. */
const WORTH = 0.1;

/** How busy a function's instances would have been with a concurrency. */
export interface ConcurrencyOutcome {
  concurrency: number;
  /** The most instances that were needed at a time. */
  peak: number;
  /** Seconds of instances with at least one invocation, if each is filled before the next. */
  busySeconds: number;
}

/** How long a function had how many invocations at a time, in milliseconds by level, and its present concurrency. */
export interface RecordedLoads {
  loads: Depths;
  concurrency: number;
}

/** The instances that each concurrency would have needed, up to the first that needs one; empty if nothing was recorded. */
export function concurrencyOutcomes({ loads, concurrency }: RecordedLoads): ConcurrencyOutcome[] {
  if (totalOf(loads) === 0) return [];
  const outcomes = [...new Set([...COMPARED, concurrency])].sort((a, b) => a - b).map((each) => outcomeOf(loads, each));
  const enough = outcomes.findIndex(({ peak }) => peak === 1);
  return outcomes.filter(({ concurrency: each }, i) => enough < 0 || i <= enough || each === concurrency);
}

/** The least concurrency that needs hardly more than the highest listed one; null if nothing was recorded. */
export function recommendedConcurrency(outcomes: readonly ConcurrencyOutcome[]): number | null {
  const least = Math.min(...outcomes.map(({ busySeconds }) => busySeconds));
  return outcomes.find(({ busySeconds }) => busySeconds <= least * (1 + WORTH))?.concurrency ?? null;
}

export function concurrencyInWords(outcomes: readonly ConcurrencyOutcome[], { loads, concurrency }: RecordedLoads): string[] {
  const recommended = recommendedConcurrency(outcomes);
  const now = outcomes.find((each) => each.concurrency === concurrency);
  const then = outcomes.find((each) => each.concurrency === recommended);
  if (!now || !then || recommended === null) return [`concurrency ${concurrency}: no invocation was seen to run in this window`];
  const most = Math.max(...[...loads.keys()].map(depthOf));
  const seen = `concurrency ${concurrency}: at most ${most} at a time, which need ${now.peak} busy at once and ${now.busySeconds} instance-seconds`;
  if (recommended === concurrency) return [`${seen}; another one would save little`];
  if (recommended < concurrency) return [`${seen}; ${recommended} would do`];
  return [
    `${seen}; ${recommended} would need ${then.peak} and ${then.busySeconds}: raise it if invocations mostly wait for others, such as a database; one that computes is only slowed down by its neighbours`,
  ];
}

function outcomeOf(loads: Depths, concurrency: number): ConcurrencyOutcome {
  let peak = 0;
  let busyMs = 0;
  for (const [level, ms] of loads) {
    const needed = Math.ceil(depthOf(level) / concurrency);
    peak = Math.max(peak, needed);
    busyMs += ms * needed;
  }
  return { concurrency, peak, busySeconds: rounded(busyMs / 1000, 1) };
}
