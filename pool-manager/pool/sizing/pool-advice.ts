import { allowedInWords, freeAllowed, type IdleMemory } from "../memory/idle-memory.ts";
import { type Depths, excessAbove, totalOf, weightBelow } from "./depths.ts";
import { type ClaimWindow, neededSize } from "./needed-size.ts";
import { claimsInWords, percent, secondsInWords } from "./words.ts";

/** At most this many sizes are listed: of a larger pool, evenly spread ones. */
const MOST_SIZES = 500;
/** Functions that are named as driving the claims. */
const MOST_FUNCTIONS = 10;

export interface ClaimsOfFunction {
  name: string;
  claims: number;
  misses: number;
}

/** A pool's record of a window, and its settings. */
export interface PoolRecord {
  window: ClaimWindow & {
    /** Milliseconds by the number of missing instances. */
    spent: Depths;
    hits: number;
    misses: number;
  };
  /** The size in force, and the pool's maximum. */
  size: number;
  max: number;
  /** The memory for idle instances, which bounds the size beside `max`; null: only `max` does. */
  memory: IdleMemory | null;
  targetHit: number;
  refillMs: number;
  refills: number;
  /** Assumed memory of an instance in MB. */
  instanceMb: number;
  functions: readonly ClaimsOfFunction[];
}

/** The window as it would have been with a size. */
export interface SizeOutcome {
  size: number;
  /** Claims that find a free instance, and their share; null if there were no claims. */
  hits: number;
  hit: number | null;
  /** Seconds of free instances and of those that are being refilled, and the same in MB·s. */
  instanceSeconds: number;
  memorySeconds: number;
}

export interface PoolAdvice {
  recommended: number;
  sizes: SizeOutcome[];
  functions: (ClaimsOfFunction & { share: number })[];
  text: string[];
}

/** Hits and cost of the recorded window at each size, and the size that is recommended. */
export function advisePool(record: PoolRecord): PoolAdvice {
  const { window, max, memory } = record;
  const needed = neededSize(window, record);
  const recommended = memory ? Math.min(needed, freeAllowed(memory)) : needed;
  const step = Math.ceil((max + 1) / MOST_SIZES);
  const listed = new Set([...Array.from({ length: Math.floor(max / step) + 1 }, (_, i) => i * step), recommended, record.size, max]);
  const functions = [...record.functions]
    .filter(({ claims }) => claims > 0)
    .sort((a, b) => b.claims - a.claims)
    .slice(0, MOST_FUNCTIONS)
    .map((one) => ({ ...one, share: window.claims > 0 ? Math.min(1, one.claims / window.claims) : 0 }));
  return {
    recommended,
    sizes: [...listed].sort((a, b) => a - b).map((size) => outcomeOf(record, size)),
    functions,
    text: [...inWords(record, recommended, functions), ...(memory && needed > recommended ? [`${needed} would be needed; ${allowedInWords(memory)}`] : [])],
  };
}

/** The window replayed with another size: a claim finds a free instance if fewer than `size` were missing. */
export function outcomeOf({ window, instanceMb }: Pick<PoolRecord, "window" | "instanceMb">, size: number): SizeOutcome {
  const total = totalOf(window.depths);
  const hits = weightBelow(window.depths, size);
  const instanceSeconds = size * window.seconds + excessAbove(window.spent, size) / 1000;
  return {
    size,
    hits: Math.round(hits),
    hit: total > 0 ? rounded(hits / total, 4) : null,
    instanceSeconds: rounded(instanceSeconds, 1),
    memorySeconds: Math.round(instanceSeconds * instanceMb),
  };
}

function inWords(record: PoolRecord, recommended: number, functions: readonly { name: string; share: number }[]): string[] {
  const { window, size, targetHit, refillMs, refills, memory } = record;
  if (window.claims === 0) return ["no claims were recorded in this window: every free instance was kept for nothing"];
  const now = outcomeOf(record, size);
  const then = outcomeOf(record, recommended);
  const text = [
    `${claimsInWords(window)}; ${window.hits} found a free instance, ${window.misses} waited for one; a refill takes ${secondsInWords(refillMs)}, ${refills} at a time`,
    `size ${size} serves ${percent(now.hit ?? 0)} of these claims at once, for ${now.instanceSeconds} instance-seconds`,
  ];
  const isReached = (then.hit ?? 0) + 1e-4 >= targetHit;
  const most = memory && recommended === freeAllowed(memory) ? "idleMemory" : "max";
  const why = isReached ? `the least for ${percent(targetHit)}` : `which is less than ${percent(targetHit)} need: ${most} does not allow more`;
  if (recommended === size) text.push(`recommended: ${size}, as it is, ${why}`);
  else {
    const more = then.instanceSeconds - now.instanceSeconds;
    const cost = `${Math.abs(more).toFixed(0)} instance-seconds ${more > 0 ? "more" : "less"}`;
    text.push(`recommended: ${recommended}, ${why}; it serves ${percent(then.hit ?? 0)}, for ${cost}`);
  }
  const drivers = functions.slice(0, 3).map(({ name, share }) => `${name} ${percent(share)}`);
  if (drivers.length > 0) text.push(`most claims come from ${drivers.join(", ")}`);
  return text;
}

export function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
