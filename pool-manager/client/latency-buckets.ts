/** The phases of an invocation's time, in the order of `FunctionUsage.phases`; `total` ends with the response. */
export const PHASES = ["queue", "claim", "load", "run", "total"] as const;
export type Phase = (typeof PHASES)[number];

/** Buckets of latencies, four to an octave: a percentile that is read from them is at most a tenth off. */
const PER_OCTAVE = 4;
/** Upper bound of the lowest bucket, in milliseconds. */
const LOWEST_MS = 1 / 16;
/** The highest bucket begins at 3.7 minutes. */
export const BUCKETS = 88;

export function bucketOf(ms: number): number {
  if (!(ms >= LOWEST_MS)) return 0;
  return Math.min(BUCKETS - 1, 1 + Math.floor(Math.log2(ms / LOWEST_MS) * PER_OCTAVE));
}

/** The middle of a bucket, in milliseconds; 0 for the lowest. */
export function msOf(bucket: number): number {
  return bucket <= 0 ? 0 : Math.round(1000 * LOWEST_MS * 2 ** ((bucket - 0.5) / PER_OCTAVE)) / 1000;
}

/** The nearest-rank percentile of counts by bucket, in milliseconds; null if nothing was counted. */
export function percentile(counts: ReadonlyMap<number, number>, share: number): number | null {
  let total = 0;
  for (const count of counts.values()) total += count;
  let left = Math.ceil(total * share);
  for (const [bucket, count] of [...counts].sort(([a], [b]) => a - b)) {
    left -= count;
    if (left <= 0) return msOf(bucket);
  }
  return null;
}
