import { expect, test } from "vitest";
import { Backoff } from "../../../../pool-manager/async/backoff.ts";

test("pauses double up to the longest, and begin anew after a success", () => {
  const backoff = new Backoff(100, 1000);
  expect(backoff.isFirst).toBe(true);
  expect(Array.from({ length: 6 }, () => backoff.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
  expect([backoff.pauseMs, backoff.isFirst]).toEqual([1000, false]);
  backoff.reset();
  expect([backoff.isFirst, backoff.next(), backoff.next()]).toEqual([true, 100, 200]);
});

test("pauses grow by another factor, and without an attempt", () => {
  const backoff = new Backoff(100, 200, 1.5);
  backoff.grow();
  expect([backoff.pauseMs, backoff.next(), backoff.next(), backoff.next()]).toEqual([150, 150, 200, 200]);
});

test("an attempt that cannot succeed soon makes the next pause the longest", () => {
  const backoff = new Backoff(100, 1000);
  backoff.exhaust();
  expect([backoff.next(), backoff.next()]).toEqual([1000, 1000]);
  backoff.reset();
  expect(backoff.next()).toBe(100);
});
