import type { SizeAnswer } from "../data/types.ts";

/** Sizes beyond those that matter, as a share of them. */
const BEYOND = 1.5;
const LEAST_DRAWN = 10;

/** The sizes that a chart shows: up to half beyond the largest of `mark` and the first size that no larger one exceeds in hits. */
export function drawnSizes(sizes: readonly SizeAnswer[], mark: number): SizeAnswer[] {
  const best = Math.max(...sizes.map(({ hit }) => hit ?? 0));
  const reached = sizes.find(({ hit }) => (hit ?? 0) >= best)?.size ?? 0;
  const last = Math.max(LEAST_DRAWN, Math.ceil(Math.max(mark, reached) * BEYOND));
  return sizes.filter(({ size }) => size <= last);
}
