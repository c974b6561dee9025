import fc from "fast-check";
import { expect, test } from "vitest";
import { TrafficSplit } from "../../../../router/routing/traffic-split.ts";

// I13
test("after any number of invocations each revision has its share, within one of each other share", () => {
  const percents = fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 5 }).filter((all) => all.reduce((sum, percent) => sum + percent, 0) <= 100);
  fc.assert(
    fc.property(percents, (all) => {
      const split = new TrafficSplit(all.map((percent, i) => ({ revision: `r${i}`, percent })));
      const counts = new Map<string | null, number>();
      for (let n = 1; n <= 500; n++) {
        const revision = split.next();
        counts.set(revision, (counts.get(revision) ?? 0) + 1);
        all.forEach((percent, i) => {
          expect(Math.abs((counts.get(`r${i}`) ?? 0) - (percent * n) / 100)).toBeLessThanOrEqual(all.length);
        });
      }
    }),
  );
});

test("a share of 10 is every tenth invocation, and unchanged shares continue where they were", () => {
  const split = new TrafficSplit([{ revision: "r2", percent: 10 }]);
  const first = Array.from({ length: 5 }, () => split.next());
  const same = split.with([{ revision: "r2", percent: 10 }]);
  const rest = Array.from({ length: 15 }, () => same.next());
  expect([...first, ...rest].filter((revision) => revision === "r2")).toHaveLength(2);
  expect(split.with([{ revision: "r2", percent: 20 }])).not.toBe(split);
  expect(new TrafficSplit([]).next()).toBeNull();
});
