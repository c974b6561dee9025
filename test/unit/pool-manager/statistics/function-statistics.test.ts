import { expect, test } from "vitest";
import type { FunctionUsage } from "../../../../pool-manager/client/contract.ts";
import { bucketOf, msOf } from "../../../../pool-manager/client/latency-buckets.ts";
import { FunctionStatistics } from "../../../../pool-manager/statistics/function-statistics.ts";

const MINUTE = 60_000;
const usage = (uid: string, invocations: number, ms = 8): FunctionUsage => ({
  uid,
  invocations,
  failed: 0,
  starts: [invocations, 0, 0],
  phases: [[0, invocations], [], [], [bucketOf(ms), invocations], [bucketOf(ms), invocations]],
});

test("reports of several routers add up: rate, starts, percentiles and course", () => {
  const statistics = new FunctionStatistics();
  statistics.hear([usage("f", 100), { ...usage("f", 2, 900), failed: 1, starts: [0, 1, 1] }], 12_000);
  const view = statistics.of("f", 12_000);
  expect(view).toMatchObject({ invocations: 102, failed: 1, starts: { warm: 100, prewarmed: 1, cold: 1 } });
  expect(view?.phases.run).toEqual({ p50: msOf(bucketOf(8)), p99: msOf(bucketOf(900)) });
  expect(view?.phases.claim).toBeUndefined();
  expect(view?.rate).toBeCloseTo(102 / 12, 1);
  expect(view?.history.slice(-3)).toEqual([0, 0, 102]);
  expect(statistics.courseOf("f", 12_000).at(-1)).toMatchObject({ warm: 100, failed: 1, agoS: 2 });
});

test("five minutes later nothing is left, and a function that nobody invokes was never there", () => {
  const statistics = new FunctionStatistics();
  statistics.hear([usage("f", 1)], 0);
  expect(statistics.of("f", 4 * MINUTE)?.invocations).toBe(1);
  expect(statistics.of("f", 4 * MINUTE)?.rate).toBe(0);
  expect(statistics.of("f", 5 * MINUTE)).toBeNull();
  expect(statistics.of("g", 0)).toBeNull();
  expect(statistics.courseOf("f", 6 * MINUTE).every(({ warm, p50 }) => warm === 0 && p50 === null)).toBe(true);
});

test("of many functions those that were heard of last are kept", () => {
  const statistics = new FunctionStatistics();
  for (let i = 0; i < 2000; i++) statistics.hear([usage(`f${i}`, 1)], 1000);
  statistics.hear([usage("f0", 1), usage("new", 1)], 2000);
  expect([statistics.of("f0", 2000)?.invocations, statistics.of("f1", 2000), statistics.of("new", 2000)?.invocations]).toEqual([2, null, 1]);
});

test("what a later version reports beside is left out", () => {
  const statistics = new FunctionStatistics();
  const later = usage("f", 1);
  statistics.hear([{ ...later, starts: [1, 0, 0, 7], phases: [...later.phases, [3, 1]] }], 1000);
  expect(statistics.of("f", 1000)).toMatchObject({ invocations: 1, starts: { warm: 1, prewarmed: 0, cold: 0 } });
});
