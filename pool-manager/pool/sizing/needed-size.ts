import { type Depths, sizeFor, totalOf } from "./depths.ts";
import { normalQuantile } from "./normal-quantile.ts";

/** With this many claims expected beyond the target, the record alone decides; with fewer, the model is a lower bound. */
const ENOUGH_MISSES = 3;

/** The claims of a window that ends now. */
export interface ClaimWindow {
  seconds: number;
  claims: number;
  /** Variance over mean of the claims in each of its buckets: 1 for independent claims, more for bursts. */
  dispersion: number;
  /** Claims by the number of instances that were missing when they came. */
  depths: Depths;
}

/** The share of hits that a pool has to reach, and how fast it is refilled. */
export interface SizeTarget {
  /** Share of the claims that find a free instance. */
  targetHit: number;
  refillMs: number;
  max: number;
}

/** The size with which the share `targetHit` of the window's claims had found a free instance. */
export function neededSize(window: ClaimWindow, target: SizeTarget): number {
  if (window.claims === 0) return 0;
  const seen = sizeFor(window.depths, target.targetHit, target.max);
  const isShort = totalOf(window.depths) * (1 - target.targetHit) < ENOUGH_MISSES;
  return isShort ? Math.max(seen, modelledSize(window, target)) : seen;
}

/** The mean number of missing instances, and as many deviations as the target needs; bursts widen the deviation. */
export function modelledSize(window: ClaimWindow, { refillMs, targetHit, max }: SizeTarget): number {
  const mean = (rateOf(window) * refillMs) / 1000;
  return Math.min(max, Math.ceil(mean + normalQuantile(targetHit) * Math.sqrt(Math.max(1, window.dispersion) * mean)));
}

/** Claims per second. */
export function rateOf({ claims, seconds }: Pick<ClaimWindow, "claims" | "seconds">): number {
  return seconds > 0 ? claims / seconds : 0;
}
