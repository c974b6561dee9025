import { describe, expect, test } from "vitest";
import { TimeBuckets } from "../../../../../pool-manager/pool/scaling/time-buckets.ts";
import { Dice } from "../../../../helpers/dice.ts";

describe("TimeBuckets", () => {
  test("an integral is spread over the buckets that it spans, and the oldest bucket counts with the part that is still inside", () => {
    const buckets = new TimeBuckets(10, 100);
    buckets.integrate(0, 1000, 2);
    expect(buckets.sum(1000, 10)).toBe(2000);
    expect(buckets.sum(1000, 3)).toBe(600);
    expect(buckets.sum(1050, 10)).toBe(1900);
    expect(buckets.sum(1500, 10)).toBe(1000);
    expect(buckets.sum(2000, 10)).toBe(0);
  });

  test("a span longer than the ring counts with its newest part alone", () => {
    const buckets = new TimeBuckets(10, 100);
    buckets.integrate(0, 1_000_000, 3);
    expect(buckets.sum(1_000_000, 10)).toBe(3000);
  });

  test("widths that are no whole number, and times at their edges, end and lose nothing", () => {
    const width = 100 / 3;
    const buckets = new TimeBuckets(60, width);
    for (let i = 0; i < 5000; i++) buckets.integrate(i * width, (i + 1) * width, 1);
    expect(buckets.sum(5000 * width, 60)).toBeCloseTo(2000, 3);
  });

  test("the maximum is kept for the whole ring's time, and for at most a bucket longer", () => {
    const buckets = new TimeBuckets(10, 100);
    buckets.raise(1050, 7);
    buckets.raise(1060, 4);
    expect(buckets.max(2050)).toBe(7);
    expect(buckets.max(2100)).toBe(0);
  });

  test("two rings of the same shape are added bucket by bucket", () => {
    const [one, other] = [new TimeBuckets(10, 100), new TimeBuckets(10, 100)];
    one.integrate(0, 500, 1);
    other.integrate(300, 800, 2);
    one.add(other);
    expect(one.sum(800, 10)).toBe(1500);
    expect(one.sum(800, 4)).toBe(900);
  });

  test("agrees with the definition on random samples", () => {
    const dice = new Dice(7);
    for (let run = 0; run < 20; run++) {
      const buckets = new TimeBuckets(20, 50);
      const spans: [from: number, to: number, level: number][] = [];
      let now = dice.below(1000);
      for (let i = 0; i < 60; i++) {
        const to = now + dice.below(120);
        const level = dice.below(5);
        spans.push([now, to, level]);
        buckets.integrate(now, to, level);
        now = to;
      }
      // At a bucket's edge the sum is exact.
      const edge = Math.ceil(now / 50) * 50;
      const exact = spans.reduce((sum, [from, to, level]) => sum + level * Math.max(0, to - Math.max(from, edge - 1000)), 0);
      expect(buckets.sum(edge, 20)).toBeCloseTo(exact, 6);
    }
  });
});
