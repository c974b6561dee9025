import { expect, test } from "vitest";
import { drawnSizes } from "../../../../pool-manager/dashboard/parts/drawn-sizes.ts";

/** Sizes from 0 to `max`, of which `full` and larger ones hit everything. */
const sizes = (max: number, full: number) => Array.from({ length: max + 1 }, (_, size) => ({ size, hit: Math.min(1, size / full), instanceSeconds: size }));

test.each([
  ["half beyond the size that hits everything", sizes(125, 20), 4, 30],
  ["half beyond the present size", sizes(125, 2), 40, 60],
  ["ten at least", sizes(125, 1), 1, 10],
  ["all that there are", sizes(6, 20), 6, 6],
  ["ten without claims", sizes(50, 1).map((one) => ({ ...one, hit: null })), 0, 10],
])("a chart of sizes ends %s", (_what, all, mark, last) => {
  expect(drawnSizes(all, mark).at(-1)?.size).toBe(last);
});
