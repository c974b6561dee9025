import { addDepth, type Depths } from "../sizing/depths.ts";

/** The claims of one bucket of time. */
export interface Bucket {
  /** Claims by when they came, whether or not an instance was free. */
  claims: number;
  /** Claims that a prewarmed instance served, and those that waited for one; a claim that gave up is neither. */
  hits: number;
  misses: number;
  /** Instances that became prewarmed, and how long that took in all. */
  refills: number;
  refillMs: number;
  /** Claims by level of depth. */
  depths: Map<number, number>;
  /** Milliseconds by level of depth, above 0. */
  spent: Map<number, number>;
  /** Milliseconds by level of concurrent invocations, waiting ones included, above 0; of functions only. */
  loads: Map<number, number>;
}

export function emptyBucket(): Bucket {
  return { claims: 0, hits: 0, misses: 0, refills: 0, refillMs: 0, depths: new Map(), spent: new Map(), loads: new Map() };
}

/** A bounded number of buckets of one width; only those in which something happened take memory. */
export class Buckets {
  readonly widthMs: number;
  readonly count: number;
  /** By time divided by the width. */
  readonly #byIndex = new Map<number, Bucket>();

  constructor(widthMs: number, count: number) {
    this.widthMs = widthMs;
    this.count = count;
  }

  /** The bucket of a time, to write to. */
  at(now: number): Bucket {
    const index = Math.floor(now / this.widthMs);
    const known = this.#byIndex.get(index);
    if (known) return known;
    const made = emptyBucket();
    this.#byIndex.set(index, made);
    this.#forget(index);
    return made;
  }

  /** Drops what is older than the ring, and what a clock that was wrong has left in the future. */
  #forget(newest: number): void {
    for (const index of this.#byIndex.keys()) if (index <= newest - this.count || index > newest) this.#byIndex.delete(index);
  }

  /** Buckets that ended within `windowMs` before now, with that of now. */
  within(now: number, windowMs: number): Bucket[] {
    const last = Math.floor(now / this.widthMs);
    const first = Math.floor((now - windowMs) / this.widthMs) + 1;
    return [...this.#byIndex].flatMap(([index, bucket]) => (index >= first && index <= last ? bucket : []));
  }

  entries(): [index: number, bucket: Bucket][] {
    return [...this.#byIndex].sort(([a], [b]) => a - b);
  }

  /** Puts a stored bucket back. */
  restore(index: number, bucket: Bucket): void {
    this.#byIndex.set(index, bucket);
  }
}

/** The sum of buckets. */
export function sumOf(buckets: readonly Bucket[]): Bucket {
  const sum = emptyBucket();
  for (const { claims, hits, misses, refills, refillMs, depths, spent, loads } of buckets) {
    sum.claims += claims;
    sum.hits += hits;
    sum.misses += misses;
    sum.refills += refills;
    sum.refillMs += refillMs;
    merge(sum.depths, depths);
    merge(sum.spent, spent);
    merge(sum.loads, loads);
  }
  return sum;
}

function merge(into: Map<number, number>, from: Depths): void {
  for (const [level, weight] of from) addDepth(into, level, weight);
}

/** Variance over mean of the claims in each of `count` buckets, those without any included. */
export function dispersionOf(buckets: readonly Bucket[], count: number): number {
  const claims = buckets.reduce((sum, bucket) => sum + bucket.claims, 0);
  if (claims === 0 || count < 2) return 1;
  const mean = claims / count;
  const squares = buckets.reduce((sum, bucket) => sum + bucket.claims ** 2, 0);
  return (squares / count - mean ** 2) / mean;
}
