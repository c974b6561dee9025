import { type ConcurrencyOutcome, concurrencyInWords, concurrencyOutcomes, recommendedConcurrency } from "./concurrency-advice.ts";
import { type Depths, depthOf, excessAbove, totalOf, weightBelow } from "./depths.ts";
import { rounded } from "./pool-advice.ts";
import { counted, percent } from "./words.ts";

/** An instance is worth keeping if it is there for at least this share of the time anyway. */
const BUSY_SHARE = 0.5;
const MOST_SCALES = 100;

/** A function's record of a window, and its settings. */
export interface FunctionRecordOfClaims {
  window: {
    seconds: number;
    claims: number;
    hits: number;
    misses: number;
    /** Claims by the number of instances that the function had. */
    depths: Depths;
    /** Milliseconds by the number of instances that it had. */
    spent: Depths;
    /** Milliseconds by the number of concurrent invocations. */
    loads: Depths;
  };
  minScale: number;
  maxScale: number;
  concurrency: number;
  instanceMb: number;
}

/** The window as it would have been with another `minScale`. */
export interface ScaleOutcome {
  minScale: number;
  /** Starts that would have been needed still, and the share that would not. */
  starts: number;
  avoided: number | null;
  instanceSeconds: number;
  memorySeconds: number;
}

export interface FunctionAdvice {
  recommended: number;
  scales: ScaleOutcome[];
  /** Null if nothing was recorded. */
  recommendedConcurrency: number | null;
  concurrencies: ConcurrencyOutcome[];
  text: string[];
}

/**
 * The starts that another `minScale` would have avoided, and its cost. A `minScale` below the present one is not listed: while its instances
 * are kept, nothing records how long they would have stayed without it.
 */
export function adviseFunction(record: FunctionRecordOfClaims): FunctionAdvice {
  const { minScale, maxScale, window } = record;
  const highest = Math.min(maxScale, minScale + MOST_SCALES, Math.max(minScale + 1, deepest(window)));
  const scales = Array.from({ length: Math.max(1, highest - minScale + 1) }, (_, i) => scaleOutcomeOf(record, minScale + i));
  let recommended = minScale;
  while (recommended < highest && timeAt(window, recommended + 1) >= BUSY_SHARE * window.seconds) recommended += 1;
  const recorded = { loads: window.loads, concurrency: record.concurrency };
  const concurrencies = concurrencyOutcomes(recorded);
  return {
    recommended,
    scales,
    recommendedConcurrency: recommendedConcurrency(concurrencies),
    concurrencies,
    text: [...inWords(record, recommended), ...concurrencyInWords(concurrencies, recorded)],
  };
}

export function scaleOutcomeOf({ window, instanceMb }: Pick<FunctionRecordOfClaims, "window" | "instanceMb">, minScale: number): ScaleOutcome {
  const total = totalOf(window.depths);
  const avoided = weightBelow(window.depths, minScale);
  const instanceSeconds = minScale * window.seconds + excessAbove(window.spent, minScale) / 1000;
  return {
    minScale,
    starts: Math.round(total - avoided),
    avoided: total > 0 ? rounded(avoided / total, 4) : null,
    instanceSeconds: rounded(instanceSeconds, 1),
    memorySeconds: Math.round(instanceSeconds * instanceMb),
  };
}

/** Seconds in which the function had at least `count` instances. */
function timeAt({ spent }: FunctionRecordOfClaims["window"], count: number): number {
  return (totalOf(spent) - weightBelow(spent, count)) / 1000;
}

function deepest({ spent, depths }: FunctionRecordOfClaims["window"]): number {
  return Math.max(0, ...[...spent.keys()].map(depthOf), ...[...depths.keys()].map((level) => depthOf(level) + 1));
}

function inWords(record: FunctionRecordOfClaims, recommended: number): string[] {
  const { window, minScale } = record;
  if (window.claims === 0) return ["no starts were recorded in this window"];
  const now = scaleOutcomeOf(record, minScale);
  const then = scaleOutcomeOf(record, recommended);
  const text = [`${counted(window.claims, "start")}: ${window.hits} took a prewarmed instance, ${window.misses} waited for one`];
  if (recommended === minScale) {
    text.push(`recommended: minScale ${minScale}, as it is: a further instance would have been idle for more than half of the time`);
  } else {
    const more = (then.instanceSeconds - now.instanceSeconds).toFixed(0);
    text.push(
      `recommended: minScale ${recommended}: it avoids ${percent(then.avoided ?? 0)} of these starts for ${more} instance-seconds more, since as many instances are there for more than half of the time anyway`,
    );
  }
  return text;
}
