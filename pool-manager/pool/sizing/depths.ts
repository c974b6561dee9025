/** Depths up to this one have a level each; above it a level covers a sixteenth of its depth. */
const EXACT = 32;
const GROWTH = 1 + 1 / 16;

/**
 * A histogram by depth: a weight for each level. The depth of a claim is the number of instances that were missing when it
 * came; a pool of `size` instances had a free one for it exactly if the depth was below `size`.
 */
export type Depths = ReadonlyMap<number, number>;

/** The level of a depth: the depth itself up to `EXACT`. */
export function levelOf(depth: number): number {
  if (depth <= EXACT) return depth;
  return EXACT + Math.floor(Math.log(depth / EXACT) / Math.log(GROWTH) + 1e-9);
}

/** The least depth of a level. */
export function depthOf(level: number): number {
  return level <= EXACT ? level : Math.ceil(EXACT * GROWTH ** (level - EXACT) - 1e-9);
}

export function addDepth(depths: Map<number, number>, level: number, weight: number): void {
  depths.set(level, (depths.get(level) ?? 0) + weight);
}

/** The histogram of what each depth exceeds `count` by. */
export function beyond(depths: Depths, count: number): Depths {
  if (count === 0) return depths;
  const left = new Map<number, number>();
  for (const [level, weight] of depths) addDepth(left, levelOf(Math.max(0, depthOf(level) - count)), weight);
  return left;
}

export function totalOf(depths: Depths): number {
  let sum = 0;
  for (const weight of depths.values()) sum += weight;
  return sum;
}

/** The weight of depths below `size`; a level that `size` divides counts in part. */
export function weightBelow(depths: Depths, size: number): number {
  let sum = 0;
  for (const [level, weight] of depths) {
    const from = depthOf(level);
    const width = Math.max(1, depthOf(level + 1) - from);
    sum += weight * Math.min(1, Math.max(0, (size - from) / width));
  }
  return sum;
}

/** The weight multiplied by the part of each depth that exceeds `size`. */
export function excessAbove(depths: Depths, size: number): number {
  let sum = 0;
  for (const [level, weight] of depths) sum += weight * Math.max(0, middleOf(level) - size);
  return sum;
}

/** The least size below which at least `share` of the weight is, at most `most`. */
export function sizeFor(depths: Depths, share: number, most: number): number {
  const needed = totalOf(depths) * share - 1e-9;
  let low = 0;
  let high = most;
  while (low < high) {
    const size = (low + high) >> 1;
    if (weightBelow(depths, size) >= needed) high = size;
    else low = size + 1;
  }
  return low;
}

function middleOf(level: number): number {
  return (depthOf(level) + depthOf(level + 1) - 1) / 2;
}
