import { describe, expect, test } from "vitest";
import { PoolHistory } from "../../../../../pool-manager/pool/history/pool-history.ts";
import { readHistory, writeHistory } from "../../../../../pool-manager/pool/history/stored-history.ts";
import { windowOf } from "../../../../../pool-manager/pool/history/windows.ts";
import { INSTANCE_BYTES } from "../../../../../pool-manager/pool/memory/idle-memory.ts";
import { advisePool } from "../../../../../pool-manager/pool/sizing/pool-advice.ts";
import { burstyTrace, diurnalTrace, randomOf, replay, steadyTrace } from "./traces.ts";

const HOUR_MS = 3_600_000;
/** Recorded times are of the wall clock. */
const BEGIN = Date.UTC(2026, 10, 30, 9);
const MAX = 40;

/** The history of a trace, as it is after it was stored and read again. */
function recorded(arrivals: readonly number[], refillMs: number, refills: number): PoolHistory {
  const history = new PoolHistory(BEGIN);
  for (const at of arrivals) {
    history.advance(BEGIN + at);
    history.claimed(BEGIN + at, { refillMs, refills });
  }
  return readHistory(writeHistory(history, 1024 * 1024));
}

function adviceOn(arrivals: readonly number[], window: "hour" | "day", durationMs: number, refillMs: number, refills: number, size = 4) {
  const history = recorded(arrivals, refillMs, refills);
  const found = windowOf(history[window], BEGIN + durationMs, durationMs, history.since);
  return advisePool({ window: found, size, max: MAX, memory: null, targetHit: 0.99, refillMs, refills, instanceMb: 96, functions: [] });
}

const TRACES = [
  { name: "steady", window: "hour", durationMs: HOUR_MS, refillMs: 2500, refills: 8, arrivals: steadyTrace(1, HOUR_MS, 1) },
  { name: "diurnal", window: "day", durationMs: 24 * HOUR_MS, refillMs: 3000, refills: 8, arrivals: diurnalTrace(2, 24 * HOUR_MS, 0.8) },
  { name: "bursty", window: "hour", durationMs: HOUR_MS, refillMs: 1500, refills: 4, arrivals: burstyTrace(3, HOUR_MS, 4) },
] as const;

describe.each(TRACES)("a $name trace", ({ window, durationMs, refillMs, refills, arrivals }) => {
  const advice = adviceOn(arrivals, window, durationMs, refillMs, refills);

  test("the advice on each size is within 10 % of the trace replayed claim by claim", () => {
    for (const { size, hit, instanceSeconds } of advice.sizes) {
      const truth = replay(arrivals, size, durationMs, () => refillMs, refills);
      expect.soft(Math.abs((hit as number) - truth.hit), `hit at ${size}: ${hit}, replayed ${truth.hit}`).toBeLessThanOrEqual(0.1 * truth.hit + 1e-3);
      const off = Math.abs(instanceSeconds - truth.instanceSeconds);
      expect.soft(off, `cost at ${size}: ${instanceSeconds}, replayed ${truth.instanceSeconds}`).toBeLessThanOrEqual(0.1 * truth.instanceSeconds + 1);
    }
  });

  test("the same holds for refills whose time varies by half", () => {
    const random = randomOf(7);
    for (const { size, hit } of advice.sizes) {
      const truth = replay(arrivals, size, durationMs, () => refillMs * (0.5 + random()), refills);
      expect.soft(Math.abs((hit as number) - truth.hit), `hit at ${size}: ${hit}, replayed ${truth.hit}`).toBeLessThanOrEqual(0.1 * truth.hit + 0.01);
    }
  });

  test("the recommended size reaches the target in the replay, and the next smaller one does not", () => {
    const { recommended } = advice;
    expect(replay(arrivals, recommended, durationMs, () => refillMs, refills).hit).toBeGreaterThanOrEqual(0.99 - 1e-9);
    expect(replay(arrivals, recommended - 1, durationMs, () => refillMs, refills).hit).toBeLessThan(0.99);
  });
});

test("the advice says in words what the present size and the recommended one hit and cost", () => {
  const [{ arrivals }] = TRACES;
  const { text, recommended } = adviceOn(arrivals, "hour", HOUR_MS, 2500, 8, 3);
  expect(text.join("\n")).toMatch(/size 3 serves \d+(\.\d+)? % of these claims at once, for \d+(\.\d+)? instance-seconds/);
  expect(text.join("\n")).toContain(`recommended: ${recommended}, the least for 99 %`);
});

test("a window without claims recommends none", () => {
  const advice = adviceOn([], "hour", HOUR_MS, 1000, 1);
  expect(advice.recommended).toBe(0);
  expect(advice.text).toEqual(["no claims were recorded in this window: every free instance was kept for nothing"]);
  expect(advice.sizes.find(({ size }) => size === 4)).toMatchObject({ hit: null, instanceSeconds: 14_400 });
});

test("max below what the target needs is said", () => {
  const history = recorded(TRACES[0].arrivals, 2500, 8);
  const window = windowOf(history.hour, BEGIN + HOUR_MS, HOUR_MS, BEGIN);
  const advice = advisePool({ window, size: 1, max: 2, memory: null, targetHit: 0.99, refillMs: 2500, refills: 8, instanceMb: 96, functions: [] });
  expect(advice.recommended).toBe(2);
  expect(advice.text.join("\n")).toContain("max does not allow more");
});

test("idleMemory below what the target needs is said, with what would be needed", () => {
  const history = recorded(TRACES[0].arrivals, 2500, 8);
  const window = windowOf(history.hour, BEGIN + HOUR_MS, HOUR_MS, BEGIN);
  const record = { window, size: 2, max: 50, targetHit: 0.99, refillMs: 2500, refills: 8, instanceMb: 96, functions: [] };
  const unbounded = advisePool({ ...record, memory: null });
  const bounded = advisePool({ ...record, memory: { limit: 2 * INSTANCE_BYTES, instance: INSTANCE_BYTES, reserved: 0 } });
  expect([bounded.recommended, unbounded.recommended > 2]).toEqual([2, true]);
  expect(bounded.text).toContain("recommended: 2, as it is, which is less than 99 % need: idleMemory does not allow more");
  expect(bounded.text).toContain(`${unbounded.recommended} would be needed; idleMemory of 192Mi allows 2`);
  expect(unbounded.text.join()).not.toContain("idleMemory");
});

test("the functions with the most claims are named, and a large pool lists a bounded number of sizes", () => {
  const history = recorded(TRACES[0].arrivals, 2500, 8);
  const window = windowOf(history.hour, BEGIN + HOUR_MS, HOUR_MS, BEGIN);
  const functions = Array.from({ length: 30 }, (_, i) => ({ name: `f${i}`, claims: i, misses: 0 }));
  const advice = advisePool({ window, size: 7, max: 5000, memory: null, targetHit: 0.99, refillMs: 2500, refills: 8, instanceMb: 96, functions });
  expect(advice.functions.map(({ name }) => name)).toEqual(["f29", "f28", "f27", "f26", "f25", "f24", "f23", "f22", "f21", "f20"]);
  expect(advice.sizes.length).toBeLessThan(510);
  expect(advice.sizes.map(({ size }) => size)).toContain(7);
});
