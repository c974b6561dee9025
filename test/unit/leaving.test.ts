import { expect, test } from "vitest";
import { LeavingInstances } from "../../pool-manager/pool/leaving.ts";

const at = (removing: boolean) => new Map([["a", { removing }]]);
const never = () => false;

test("an instance is deleted once its drain deadline is over, and again where that failed", () => {
  const leaving = new LeavingInstances();
  leaving.add("a", 1000, 0);
  expect(leaving.due(never, 1200)).toEqual([]);
  expect(leaving.due(() => true, 1200)).toEqual(["a"]);
  expect(leaving.due(never, 1250)).toEqual(["a"]);
  leaving.sent("a");
  expect(leaving.due(never, 1300)).toEqual([]);
  expect(leaving.failed("a", 1300)).toBe(100);
  expect(leaving.due(() => true, 1350)).toEqual([]);
  expect(leaving.due(never, 1400)).toEqual(["a"]);
});

test("a deletion that fails again and again is asked for less and less often, but at least every ten seconds", () => {
  const leaving = new LeavingInstances();
  leaving.add("a", 0, 0);
  const pauses = Array.from({ length: 9 }, () => leaving.failed("a", 0));
  expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
});

test("a deletion that the platform took and no longer shows is sent again", () => {
  const leaving = new LeavingInstances();
  leaving.add("a", 0, 0);
  leaving.sent("a");
  leaving.observe(at(false));
  expect(leaving.due(never, 1)).toEqual([]);
  leaving.taken("a");
  leaving.observe(at(true));
  expect(leaving.due(never, 2)).toEqual([]);
  leaving.observe(at(false));
  expect(leaving.due(never, 3)).toEqual(["a"]);
  leaving.observe(new Map());
  expect(leaving.has("a")).toBe(false);
});
