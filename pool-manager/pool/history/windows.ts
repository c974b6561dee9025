import { type Bucket, type Buckets, dispersionOf, sumOf } from "./buckets.ts";

/** A window of recorded time that ends now. */
export interface RecordedWindow extends Bucket {
  /** The part of it in which there was a record. */
  seconds: number;
  dispersion: number;
}

/** The sum of the buckets of the last `windowMs`; recording began at `since`. */
export function windowOf(buckets: Buckets, now: number, windowMs: number, since: number): RecordedWindow {
  const ms = Math.max(buckets.widthMs, Math.min(windowMs, now - since));
  const found = buckets.within(now, windowMs);
  return { ...sumOf(found), seconds: ms / 1000, dispersion: dispersionOf(found, Math.max(found.length, Math.ceil(ms / buckets.widthMs))) };
}
