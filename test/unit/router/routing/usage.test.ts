import { expect, test } from "vitest";
import { bucketOf } from "../../../../pool-manager/client/latency-buckets.ts";
import { Usage } from "../../../../router/routing/usage.ts";

const spent = { queueMs: 2, claimMs: 3, loadMs: 0, runMs: 10, totalMs: 16 };

test("counts by function, and begins anew once they are taken", () => {
  const usage = new Usage();
  usage.count("f", true, false, "warm", spent);
  usage.count("f", true, true, "prewarmed", { ...spent, runMs: 500 });
  usage.count("g", true, false, "cold", spent);
  const [f, g, ...others] = usage.take();
  expect(others).toEqual([]);
  expect(f).toEqual({
    uid: "f",
    invocations: 2,
    failed: 1,
    starts: [1, 1, 0],
    phases: [
      [bucketOf(2), 2],
      [bucketOf(3), 2],
      [0, 2],
      [bucketOf(10), 1, bucketOf(500), 1],
      [bucketOf(16), 2],
    ],
  });
  expect(g).toMatchObject({ uid: "g", starts: [0, 0, 1] });
  expect(usage.take()).toEqual([]);
});

test("an invocation that came to no instance has only waited", () => {
  const usage = new Usage();
  usage.count("f", false, true, "warm", { queueMs: 30_000, claimMs: 0, loadMs: 0, runMs: 0, totalMs: 30_000 });
  expect(usage.take()).toEqual([{ uid: "f", invocations: 1, failed: 1, starts: [0, 0, 0], phases: [[bucketOf(30_000), 1], [], [], [], []] }]);
});

test("a report has a thousand functions at most, and the next one the others", () => {
  const usage = new Usage();
  for (let i = 0; i < 1500; i++) usage.count(`f${i}`, true, false, "warm", spent);
  expect([usage.take().length, usage.take().length, usage.take().length]).toEqual([1000, 500, 0]);
});

test("functions beyond a bound are not counted until the next report", () => {
  const usage = new Usage();
  for (let i = 0; i < 6000; i++) usage.count(`f${i}`, true, false, "warm", spent);
  let taken = 0;
  for (let round = 0; round < 7; round++) taken += usage.take().length;
  expect(taken).toBe(5000);
});
