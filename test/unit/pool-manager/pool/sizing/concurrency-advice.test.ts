import { expect, test } from "vitest";
import { concurrencyInWords, concurrencyOutcomes, recommendedConcurrency } from "../../../../../pool-manager/pool/sizing/concurrency-advice.ts";
import { addDepth, levelOf } from "../../../../../pool-manager/pool/sizing/depths.ts";
import { Dice } from "../../../../helpers/dice.ts";

/** Milliseconds by the number of concurrent invocations. */
function loadsOf(times: readonly (readonly [concurrent: number, ms: number])[]) {
  const loads = new Map<number, number>();
  for (const [concurrent, ms] of times) addDepth(loads, levelOf(concurrent), ms);
  return loads;
}

test("each concurrency needs as many instances as hold the invocations of each moment", () => {
  const loads = loadsOf([
    [1, 10_000],
    [3, 5000],
    [10, 1000],
  ]);
  expect(concurrencyOutcomes({ loads, concurrency: 3 })).toEqual([
    { concurrency: 1, peak: 10, busySeconds: 35 },
    { concurrency: 2, peak: 5, busySeconds: 25 },
    { concurrency: 3, peak: 4, busySeconds: 19 },
    { concurrency: 5, peak: 2, busySeconds: 17 },
    { concurrency: 10, peak: 1, busySeconds: 16 },
  ]);
});

test.each<[string, [number, number][], number, number | null, string]>([
  ["one that is never shared", [[1, 60_000]], 1, 1, "another one would save little"],
  ["one that is higher than it is ever used", [[3, 60_000]], 100, 5, "5 would do"],
  ["one that is too low for invocations that wait", [[80, 60_000]], 1, 100, "raise it if invocations mostly wait"],
  ["no record", [], 10, null, "no invocation was seen to run"],
])("a concurrency is judged: %s", (_title, times, concurrency, recommended, words) => {
  const recorded = { loads: loadsOf(times), concurrency };
  const outcomes = concurrencyOutcomes(recorded);
  expect(recommendedConcurrency(outcomes)).toBe(recommended);
  expect(concurrencyInWords(outcomes, recorded).join()).toContain(words);
});

test("what is told is within a tenth of what each moment of a bursty day needs", () => {
  const dice = new Dice(7);
  const moments = Array.from({ length: 5000 }, () => (dice.next() < 0.05 ? 100 + dice.below(400) : dice.below(20)));
  const loads = loadsOf(moments.filter((count) => count > 0).map((count) => [count, 1000]));
  for (const { concurrency, busySeconds, peak } of concurrencyOutcomes({ loads, concurrency: 7 })) {
    const truth = moments.reduce((sum, count) => sum + Math.ceil(count / concurrency), 0);
    expect(Math.abs(busySeconds - truth) / truth).toBeLessThan(0.1);
    const most = Math.ceil(Math.max(...moments) / concurrency);
    expect(Math.abs(peak - most)).toBeLessThanOrEqual(Math.max(1, most / 10));
  }
});
