import { describe, expect, test } from "vitest";
import { PoolHistory } from "../../../../../pool-manager/pool/history/pool-history.ts";
import { windowOf } from "../../../../../pool-manager/pool/history/windows.ts";
import { chooseSize, type SizeState, type SizingInputs } from "../../../../../pool-manager/pool/sizing/choose-size.ts";
import { modelledSize } from "../../../../../pool-manager/pool/sizing/needed-size.ts";
import { burstyTrace, diurnalTrace, steadyTrace } from "./traces.ts";

const HOUR_MS = 3_600_000;
const STEP_MS = 10_000;
const BEGIN = Date.UTC(2026, 10, 30, 9);
const LEAST = 1;
const MAX = 60;

type Policy = (inputs: SizingInputs, history: PoolHistory) => Pick<ReturnType<typeof chooseSize>, "size" | "refills"> & SizeState;

/** The size by the mean and the deviation of the missing instances alone, over the last hour. */
const byFormula: Policy = (inputs) => {
  const decided = chooseSize(inputs);
  const size = Math.min(MAX, Math.max(LEAST, modelledSize(inputs.hour, inputs)));
  return { ...decided, size };
};

interface Outcome {
  hit: number;
  meanSize: number;
  changes: number;
  sizes: number[];
}

/** Runs a policy over a trace in virtual time; a claim hits if fewer than the size of that moment were missing. */
function run(arrivals: readonly number[], durationMs: number, refillMs: number, policy: Policy = chooseSize): Outcome {
  const history = new PoolHistory(BEGIN);
  let state: SizeState = { size: LEAST, belowSince: null, changedAt: null };
  let refills = 1;
  let next = 0;
  const outcome = { hits: 0, area: 0, changes: 0, sizes: [] as number[] };
  const windowOfClaims = (now: number, ms: number) => windowOf(history.hour, now, ms, BEGIN);
  for (let at = 0; at < durationMs; at += STEP_MS) {
    const now = BEGIN + at;
    history.advance(now);
    const inputs: SizingInputs = {
      at: now,
      elapsedMs: STEP_MS,
      min: LEAST,
      max: MAX,
      scheduled: null,
      memory: null,
      targetHit: 0.99,
      state,
      refillMs,
      refills: { least: 1, most: 20 },
      recent: windowOfClaims(now, 300_000),
      hour: windowOfClaims(now, HOUR_MS),
    };
    const decided = policy(inputs, history);
    outcome.changes += Number(decided.size !== state.size);
    state = { size: decided.size, belowSince: decided.belowSince, changedAt: decided.changedAt };
    refills = decided.refills;
    outcome.sizes.push(state.size);
    outcome.area += state.size * STEP_MS;
    for (; next < arrivals.length && (arrivals[next] as number) < at + STEP_MS; next++) {
      const claim = BEGIN + (arrivals[next] as number);
      history.advance(claim);
      if (history.claimed(claim, { refillMs, refills }) < state.size) outcome.hits += 1;
    }
  }
  return { hit: outcome.hits / arrivals.length, meanSize: outcome.area / durationMs, changes: outcome.changes, sizes: outcome.sizes };
}

const TRACES = [
  { name: "steady", durationMs: 6 * HOUR_MS, refillMs: 2500, arrivals: steadyTrace(11, 6 * HOUR_MS, 1), least: 0.985 },
  { name: "diurnal", durationMs: 24 * HOUR_MS, refillMs: 3000, arrivals: diurnalTrace(12, 24 * HOUR_MS, 0.8), least: 0.98 },
  { name: "bursty", durationMs: 24 * HOUR_MS, refillMs: 1500, arrivals: burstyTrace(13, 24 * HOUR_MS, 4), least: 0.97 },
];

describe.each(TRACES)("a pool that sizes itself on a $name trace", ({ durationMs, refillMs, arrivals, least }) => {
  const auto = run(arrivals, durationMs, refillMs);

  test("comes near its target, from a size of one on", () => {
    expect(auto.hit).toBeGreaterThanOrEqual(least);
  });

  test("changes its size seldom", () => {
    expect(auto.changes / (durationMs / HOUR_MS)).toBeLessThan(12);
  });

  test("the formula of rate and dispersion alone misses its target", () => {
    expect(run(arrivals, durationMs, refillMs, byFormula).hit).toBeLessThan(auto.hit - 0.02);
  });
});

test("after the claims have ended, it shrinks to its least size within two hours, a tenth at a time", () => {
  const arrivals = steadyTrace(14, HOUR_MS, 1);
  const { sizes } = run(arrivals, 4 * HOUR_MS, 2500);
  expect(Math.max(...sizes)).toBeGreaterThan(5);
  expect(sizes.at(-1)).toBe(LEAST);
  expect(sizes.indexOf(LEAST, 200)).toBeLessThan((3 * HOUR_MS) / STEP_MS);
  const least = (before: number) => before - Math.max(1, Math.floor(before / 10));
  expect(sizes.every((size, i) => i === 0 || size >= least(sizes[i - 1] as number))).toBe(true);
});
