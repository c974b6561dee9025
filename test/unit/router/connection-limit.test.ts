import { expect, test } from "vitest";
import { connectionLimit, firstOfSeries } from "../../../router/connection-limit.ts";

test.each([
  ["Limit  Soft Limit  Hard Limit  Units\nMax open files            256                  256                  files", 96],
  ["Max open files            1048576              1048576              files", 393_216],
  ["Max open files            2                    2                    files", 1],
  ["Max open files            unlimited            unlimited            files", undefined],
  ["", undefined],
])("of %j descriptors clients may use %j", (limits, wanted) => {
  expect(connectionLimit(limits)).toBe(wanted);
});

test("refusals are reported once, and again after a minute without one", () => {
  const told: number[] = [];
  let now = 0;
  const refused = firstOfSeries(
    () => told.push(now),
    () => now,
  );
  for (now of [0, 1000, 50_000, 100_000, 161_000, 162_000]) refused();
  expect(told).toEqual([0, 161_000]);
});
