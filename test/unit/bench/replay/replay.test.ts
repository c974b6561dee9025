import { describe, expect, test } from "vitest";
import { parsePolicies } from "../../../../bench/replay/policy.ts";
import { Replay } from "../../../../bench/replay/replay.ts";
import type { ReplayOptions } from "../../../../bench/replay/replay-options.ts";
import { cut, TraceBuilder } from "../../../../bench/replay/trace.ts";
import { generate } from "../../../../bench/replay/traces/generate.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const OPTIONS: ReplayOptions = { createMs: 200, loadMs: 20, concurrency: 100, size: 2, max: 50 };

/** Invocations of one function, so many minutes apart, for a day. */
function timer(everyMinutes: number, durationMs = 100) {
  const trace = new TraceBuilder();
  for (let at = 1000; at < DAY_MS; at += everyMinutes * MINUTE_MS) trace.add("f", at, durationMs);
  return trace.build(DAY_MS);
}

function outcome(trace: ReturnType<typeof timer>, policy: string, options: Partial<ReplayOptions> = {}) {
  const [parsed] = parsePolicies(policy);
  if (!parsed) throw new Error("no policy");
  const { tally, spentMs } = new Replay(trace, parsed, { ...OPTIONS, ...options }).run();
  return { n: tally.invocations, starts: tally.starts, created: tally.created, maxMs: tally.waits.maxValue / 1000, ownedMs: spentMs.owned, allMs: spentMs.all };
}

describe("a function that is called each half an hour", () => {
  test("fixed, ten minutes: each call needs a start, and ten minutes of an instance", () => {
    const { n, starts, created, ownedMs } = outcome(timer(30), "fixed:10m");
    expect([n, starts, created]).toEqual([48, 48, 0]);
    expect(ownedMs / MINUTE_MS / 48).toBeGreaterThan(10);
    expect(ownedMs / MINUTE_MS / 48).toBeLessThan(10.5);
  });

  test("fixed, an hour: it is always there", () => {
    const { starts, ownedMs } = outcome(timer(30), "fixed:1h");
    expect(starts).toBe(1);
    expect(ownedMs).toBeGreaterThan(0.99 * DAY_MS);
  });

  test("auto: after it has learned, an instance is there when the call comes, and seldom besides", () => {
    const { n, starts, ownedMs } = outcome(timer(30), "auto");
    expect(n).toBe(48);
    expect(starts).toBe(6);
    expect(ownedMs).toBeLessThan(outcome(timer(30), "fixed:10m").ownedMs);
  });
});

test("an instance that is missing is created, and the call waits for it", () => {
  const { starts, created, maxMs } = outcome(timer(60), "fixed:1m", { size: 0 });
  expect([starts, created]).toEqual([24, 24]);
  expect(maxMs).toBeGreaterThanOrEqual(220);
  expect(maxMs).toBeLessThan(230);
});

test("a call at the end of a trace is served too, and its wait counts no further memory", () => {
  const trace = new TraceBuilder();
  trace.add("f", 1000, 10);
  trace.add("g", 3_600_000, 10);
  const { n, starts, allMs } = outcome(trace.build(), "fixed:1m");
  expect([n, starts]).toEqual([2, 2]);
  expect(allMs).toBeLessThan(3 * 3_600_000);
});

test("calls above an instance's concurrency get further ones, and every call is served", () => {
  const trace = new TraceBuilder();
  for (let i = 0; i < 40; i++) trace.add("f", 5000 + i, 60_000);
  const { n, starts, created } = outcome(trace.build(DAY_MS / 24), "auto", { concurrency: 10 });
  expect([n, starts]).toEqual([40, 40]);
  expect(created).toBeGreaterThan(0);
});

test("the same trace and policy give the same outcome", () => {
  const trace = generate({ seed: 3, functions: 10, days: 1, mostPerDay: 200 });
  expect(outcome(trace, "auto", { size: "auto" })).toEqual(outcome(trace, "auto", { size: "auto" }));
});

describe("a generated trace", () => {
  const trace = generate({ seed: 5, functions: 400, days: 2, mostPerDay: 500 });

  test("is sorted, within its length, and the same for the same seed", () => {
    expect(trace.at.every((at, i) => i === 0 || at >= (trace.at[i - 1] as number))).toBe(true);
    expect(trace.at.at(-1)).toBeLessThan(trace.lengthMs);
    expect(generate({ seed: 5, functions: 400, days: 2, mostPerDay: 500 })).toEqual(trace);
    expect(generate({ seed: 6, functions: 400, days: 2, mostPerDay: 500 }).at.length).not.toBe(trace.at.length);
  });

  test("is heavy-tailed: the most popular tenth of the functions has most of the invocations", () => {
    const popular = generate({ seed: 5, functions: 200, days: 1, mostPerDay: 20_000 });
    const ofEach = new Map<number, number>();
    for (const of of popular.of) ofEach.set(of, (ofEach.get(of) ?? 0) + 1);
    const counts = [...ofEach.values()].sort((a, b) => b - a);
    const top = counts.slice(0, 20).reduce((sum, count) => sum + count, 0);
    expect(top / popular.at.length).toBeGreaterThan(0.6);
    expect(counts[Math.floor(counts.length / 2)]).toBeLessThan(200);
  });
});

describe("policies", () => {
  test("are parsed in their order", () => {
    expect(parsePolicies("fixed:10m, auto,fixed:90s")).toEqual([
      { name: "fixed:10m", idleTimeoutMs: 600_000 },
      { name: "auto", idleTimeoutMs: null },
      { name: "fixed:90s", idleTimeoutMs: 90_000 },
    ]);
  });

  test.each(["", "fixed", "fixed:", "fixed:0s", "fixed:x", "always", "auto,"])("%j is refused", (text) => {
    expect(() => parsePolicies(text)).toThrow(expect.objectContaining({ code: "POLICY_INVALID", fix: expect.stringContaining("fixed:10m") }));
  });
});

test("a part of a trace has its own beginning, and only the functions that occur in it", () => {
  const builder = new TraceBuilder();
  for (const [name, at] of [
    ["a", 100],
    ["b", 1000],
    ["c", 1999],
    ["b", 2000],
  ] as const)
    builder.add(name, at, 7);
  const { functions, at, of, durationMs, lengthMs } = cut(builder.build(5000), 1000, 1000);
  expect([functions, [...at], [...of], [...durationMs], lengthMs]).toEqual([["b", "c"], [0, 999], [0, 1], [7, 7], 1000]);
  expect(cut(builder.build(5000), 4000, 2000)).toMatchObject({ functions: [], lengthMs: 1000 });
});
