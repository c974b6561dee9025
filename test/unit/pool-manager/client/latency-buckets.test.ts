import { expect, test } from "vitest";
import { BUCKETS, bucketOf, msOf, percentile } from "../../../../pool-manager/client/latency-buckets.ts";

test.each([0, 0.01, 0.07, 0.5, 1, 3.3, 17, 250, 999, 30_000, 200_000])("a percentile of %s ms is at most a tenth off", (ms) => {
  const read = msOf(bucketOf(ms));
  if (ms < 1 / 16) expect(read).toBe(0);
  else expect(Math.abs(read - ms) / ms).toBeLessThan(0.1);
});

test("buckets ascend with time, and end", () => {
  const buckets = Array.from({ length: 400 }, (_, i) => bucketOf(1.05 ** i / 100));
  expect(buckets).toEqual([...buckets].sort((a, b) => a - b));
  expect([bucketOf(1e12), bucketOf(Number.POSITIVE_INFINITY), bucketOf(Number.NaN), bucketOf(-1)]).toEqual([BUCKETS - 1, BUCKETS - 1, 0, 0]);
});

test("the nearest rank counts, in whatever order buckets were heard", () => {
  const counts = new Map([
    [40, 1],
    [8, 98],
    [20, 1],
  ]);
  expect([percentile(counts, 0.5), percentile(counts, 0.99), percentile(counts, 1)]).toEqual([msOf(8), msOf(20), msOf(40)]);
  expect(percentile(new Map(), 0.5)).toBeNull();
});
