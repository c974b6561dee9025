import { describe, expect, test } from "vitest";
import { random } from "../../../../../bench/driver.ts";
import { BINS, type IdleCounts, IdleHistogram } from "../../../../../pool-manager/pool/idling/idle-histogram.ts";
import { decideIdle, type IdleInputs } from "../../../../../pool-manager/pool/idling/idle-policy.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function inputs(idleMinutes: readonly number[], change: Partial<IdleInputs> = {}): IdleInputs {
  const histogram = new IdleHistogram();
  for (const minutes of idleMinutes) histogram.add(minutes * MINUTE_MS);
  return { ...histogram.counts(), standardMs: 10 * MINUTE_MS, worthMs: HOUR_MS, ...change };
}

const times = (count: number, minutes: number) => Array.from({ length: count }, () => minutes);

describe("when an idle function has an instance", () => {
  // In minutes: from the end of the last invocation, and until when.
  test.each([
    ["too few idle times: the standard time", [3, 3, 3, 3], 0, 10],
    ["a busy function: until nearly all have come", times(100, 0.5), 0, 1.1],
    ["a timer each half an hour: shortly before it", times(10, 30.2), 27, 34.1],
    ["a timer that is sometimes early", [...times(10, 30.2), ...times(5, 20.2)], 18, 34.1],
    ["bursts, hours apart: between the invocations of a burst", [...times(40, 0.5), ...times(5, 300)], 0, 1.1],
    ["bursts, each half an hour: throughout", [...times(40, 0.5), ...times(5, 30.5)], 0, 34.1],
    ["far too seldom for any window", times(10, 1000), 0, 1.1],
    ["a period of two minutes is no pause", times(10, 1.5), 0, 2.2],
  ] as const)("%s", (_title, idle, fromMinutes, untilMinutes) => {
    const { pauseMs, keepMs } = decideIdle(inputs(idle));
    expect([pauseMs, keepMs]).toEqual([fromMinutes * MINUTE_MS, Math.round(untilMinutes * MINUTE_MS)]);
  });

  test("a start that is worth less is paid for with a shorter window", () => {
    const idle = Array.from({ length: 60 }, (_, i) => i);
    const kept = [1, 30, 240].map((minutes) => {
      const { pauseMs, keepMs } = decideIdle(inputs(idle, { worthMs: minutes * MINUTE_MS }));
      return keepMs - pauseMs;
    });
    expect(kept).toEqual([...kept].sort((a, b) => a - b));
    expect(kept[0]).toBeLessThan(kept[2] as number);
  });

  test("the reason says how many idle times there were and what the window covers", () => {
    expect(decideIdle(inputs(times(10, 30))).reason).toBe("an instance from 27 min to 34 min after the last invocation: 100 % of 10 idle times end then");
    expect(decideIdle(inputs([1])).reason).toBe("the standard time, until 5 idle times are known: now 1");
  });
});

/** The expected cost of a window, written apart from the policy. */
function costOf(all: readonly number[], beyond: number, from: number, to: number, worthMs: number): number {
  const ends = [...all.map((bin) => bin + 0.5), ...Array.from({ length: beyond + 1 }, () => Number.POSITIVE_INFINITY)];
  const costs = ends.map((end) => {
    const held = Math.max(0, Math.min(end, to) - from) * MINUTE_MS;
    const started = end < from || end >= to ? worthMs : 0;
    return held + started + (from > 0 && end >= from ? 30_000 : 0);
  });
  return costs.reduce((sum, cost) => sum + cost, 0) / ends.length;
}

test("no window costs less than the one that is chosen, on random histograms", () => {
  const next = random(16);
  for (let round = 0; round < 40; round++) {
    const spread = 1 + Math.floor(next() * 40);
    const bins = Array.from({ length: 5 + Math.floor(next() * 30) }, () => Math.floor(next() * spread));
    const beyond = Math.floor(next() * 4);
    const given = inputs([...bins, ...times(beyond, BINS + 1)], { worthMs: (1 + next() * 60) * MINUTE_MS });
    const { pauseMs, keepMs } = decideIdle(given);
    const chosen = costOf(bins, beyond, Math.round(pauseMs / MINUTE_MS / 0.9), Math.round(keepMs / MINUTE_MS / 1.1), given.worthMs);
    for (let from = 0; from < spread; from = from === 0 ? 2 : from + 1) {
      for (let to = from + 1; to <= spread + 1; to++) expect(chosen).toBeLessThanOrEqual(costOf(bins, beyond, from, to, given.worthMs) + 1e-6);
    }
  }
});

test("the same inputs give the same decision, also after they were stored", () => {
  const given = inputs([...times(10, 30), ...times(3, 500)]);
  expect(decideIdle(JSON.parse(JSON.stringify(given)) as IdleInputs)).toEqual(decideIdle(given));
});

describe("a histogram", () => {
  test("is bounded, and an old habit gives way to a new one", () => {
    const histogram = new IdleHistogram();
    for (let i = 0; i < 10_000; i++) histogram.add((i % 300) * MINUTE_MS);
    expect(histogram.counts().bins.length).toBeLessThanOrEqual(BINS);
    for (let i = 0; i < 2000; i++) histogram.add(30.5 * MINUTE_MS);
    expect(histogram.total).toBeLessThanOrEqual(400);
    expect(decideIdle({ ...histogram.counts(), standardMs: 0, worthMs: HOUR_MS })).toMatchObject({ pauseMs: 27 * MINUTE_MS });
  });

  test("is read as it was written", () => {
    const counts: IdleCounts = {
      bins: [
        [0, 3],
        [30, 2],
      ],
      beyond: 4,
    };
    const histogram = new IdleHistogram(counts);
    expect([histogram.counts(), histogram.total]).toEqual([counts, 9]);
  });
});
