import { build } from "hdr-histogram-js";
import { describe, expect, test } from "vitest";
import { random } from "../../../../bench/driver.ts";
import { compare, quantileInterval, type Verdict } from "../../../../bench/report/compare.ts";
import type { Result } from "../../../../bench/report/result.ts";
import { type Scenario, scenarioOf } from "../../../../bench/report/scenario.ts";

/** Latencies between `fromMs` and twice that. */
function latencies(seed: number, n: number, fromMs: number) {
  const next = random(seed);
  const times = build({ lowestDiscernibleValue: 1, highestTrackableValue: 3e8, numberOfSignificantValueDigits: 3 });
  for (let i = 0; i < n; i++) times.recordValue(Math.round(1000 * fromMs * (1 + next())));
  return times;
}

function result(scenarios: Scenario[], change: Partial<Result> = {}): Result {
  return { machine: { cpu: "one", cores: 2, stolen: 0 }, date: "2026-01-01T00:00:00Z", platform: "local", quick: false, scenarios, ...change };
}

const warm = (seed: number, n: number, fromMs: number) => scenarioOf("warm", n, 0, latencies(seed, n, fromMs));

describe("a comparison of two results", () => {
  test.each<[string, Scenario, Scenario, Verdict]>([
    ["of the same latencies", warm(1, 2000, 10), warm(2, 2000, 10), "within the noise"],
    ["of halved latencies", warm(1, 2000, 10), warm(2, 2000, 5), "faster"],
    ["of doubled latencies", warm(1, 2000, 10), warm(2, 2000, 20), "slower"],
    ["of a few percent in few invocations", warm(1, 50, 10), warm(2, 50, 10.3), "within the noise"],
    ["of three invocations", warm(1, 3, 10), warm(2, 3, 20), "unknown"],
    ["with a result that has no latencies", { name: "warm", n: 9, errors: 0, p50Ms: 1, p99Ms: 2 }, warm(2, 2000, 20), "unknown"],
  ])("%s", (_what, before, after, verdict) => {
    const [p50] = compare(result([before]), result([after])).rows;
    expect(p50).toMatchObject({ scenario: "warm", quantile: "p50", n: [before.n, after.n], verdict });
  });

  test("calls the same distribution different in at most one of twenty pairs", () => {
    let wrong = 0;
    for (let seed = 0; seed < 400; seed++) {
      const { rows } = compare(result([warm(2 * seed, 300, 10)]), result([warm(2 * seed + 1, 300, 10)]));
      if (rows[0]?.verdict !== "within the noise") wrong += 1;
    }
    expect(wrong).toBeLessThanOrEqual(20);
  });

  test("names what only one of them has, and what makes it doubtful", () => {
    const before = result([warm(1, 9, 10), { name: "cold", n: 4, errors: 3 }]);
    const after = result([warm(1, 9, 10), { name: "burst", n: 1, errors: 0 }], {
      machine: { cpu: "two", cores: 2, stolen: 0.2 },
      platform: "kruise",
      quick: true,
    });
    expect(compare(before, after)).toMatchObject({
      onlyBefore: ["cold"],
      onlyAfter: ["burst"],
      doubts: [
        "The machines differ: cpu is one before and two after.",
        "The platforms differ: local before, kruise after.",
        "One of the results is of a quick run.",
        "Invocations failed before: 3 of cold.",
        "The hypervisor took 20 % of the processor time away after.",
      ],
    });
  });
});

test("the interval of a quantile holds it in 95 of 100 runs, and is not given for too few values", () => {
  const trueMedian = 15_000;
  let held = 0;
  for (let seed = 0; seed < 1000; seed++) {
    const [low, high] = quantileInterval(latencies(seed, 101, 10), 0.5) ?? [0, 0];
    if (low <= trueMedian && trueMedian <= high) held += 1;
  }
  expect(held).toBeGreaterThan(935);
  expect(quantileInterval(latencies(1, 100, 10), 0.99)).toBeNull();
  expect(quantileInterval(latencies(1, 5, 10), 0.5)).toBeNull();
});
