/** A repeatable source of numbers between 0 and 1 (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const exponential = (random: () => number, mean: number) => -Math.log(1 - random()) * mean;

/** Arrivals of a Poisson process whose rate per second, at most `most`, depends on the time; milliseconds. */
function poisson(durationMs: number, most: number, rateAt: (ms: number) => number, random: () => number): number[] {
  const arrivals: number[] = [];
  for (let at = exponential(random, 1000 / most); at < durationMs; at += exponential(random, 1000 / most)) {
    if (random() < rateAt(at) / most) arrivals.push(at);
  }
  return arrivals;
}

export function steadyTrace(seed: number, durationMs: number, perSecond: number): number[] {
  return poisson(durationMs, perSecond, () => perSecond, randomOf(seed));
}

/** A day's wave within the duration, from almost nothing to the full rate. */
export function diurnalTrace(seed: number, durationMs: number, perSecond: number): number[] {
  const rateAt = (ms: number) => (perSecond * (1 - Math.cos((2 * Math.PI * ms) / durationMs))) / 2;
  return poisson(durationMs, perSecond, rateAt, randomOf(seed));
}

/** Bursts of heavy-tailed sizes within a second, at random times. */
export function burstyTrace(seed: number, durationMs: number, burstsPerMinute: number): number[] {
  const random = randomOf(seed);
  const starts = poisson(durationMs, burstsPerMinute / 60, () => burstsPerMinute / 60, random);
  const bursts = starts.flatMap((start) => {
    const size = Math.min(40, Math.ceil((1 - random()) ** -0.8));
    return Array.from({ length: size }, () => start + random() * 800);
  });
  return bursts.sort((a, b) => a - b).filter((at) => at < durationMs);
}

/** The outcome of replaying each arrival against a pool of `size`, one by one. */
export interface Replayed {
  hit: number;
  instanceSeconds: number;
}

/**
 * The truth that advice is compared with: a pool that keeps `size` instances free, of which each claim takes one and orders
 * one, `refills` of which start at a time, and whose claims wait in a queue if none is free. Written apart from the product.
 */
export function replay(arrivals: readonly number[], size: number, durationMs: number, refillMs: () => number, refills: number): Replayed {
  let free = size;
  let waiting = 0;
  let ordered = 0;
  let hits = 0;
  let area = 0;
  let at = 0;
  const running: number[] = [];
  const to = (time: number) => {
    area += (free + running.length + ordered) * (time - at);
    at = time;
  };
  const start = () => {
    while (ordered > 0 && running.length < refills) {
      ordered -= 1;
      running.push(at + refillMs());
      running.sort((a, b) => a - b);
    }
  };
  const finishUntil = (time: number) => {
    while (running.length > 0 && (running[0] as number) <= time) {
      to(running[0] as number);
      running.shift();
      if (waiting > 0) waiting -= 1;
      else free += 1;
      start();
    }
  };
  for (const arrival of arrivals) {
    finishUntil(arrival);
    to(arrival);
    if (free > 0) {
      free -= 1;
      hits += 1;
    } else waiting += 1;
    ordered += 1;
    start();
  }
  finishUntil(durationMs);
  to(durationMs);
  return { hit: arrivals.length > 0 ? hits / arrivals.length : 1, instanceSeconds: area / 1000 };
}
