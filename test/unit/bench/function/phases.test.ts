import { expect, test } from "vitest";
import { durationsOf, Phases } from "../../../../bench/function/phases.ts";

test.each([
  ["queue;dur=1.5, claim;dur=2, load;dur=0.00, run;dur=40.25", { queue: 1.5, claim: 2, load: 0, run: 40.25 }],
  // A function's own metrics follow the router's.
  ['queue;dur=1, run;dur=3, db;dur=9, run;desc="mine";dur=99', { queue: 1, run: 3 }],
  ["run;dur=-4, claim, load;dur=soon", {}],
  ["", {}],
])("server-timing %s", (header, expected) => {
  expect(Object.fromEntries(durationsOf(header))).toEqual(expected);
});

test("phases are summed up by median and tail, in the order in which they happen", () => {
  const phases = new Phases();
  expect(phases.summary).toBeUndefined();
  for (let ms = 1; ms <= 100; ms++) phases.record(`run;dur=${ms}, queue;dur=${ms / 10}`);
  phases.record(undefined);
  expect(Object.entries(phases.summary ?? {}).map(([name, { p50Ms, p99Ms }]) => [name, Math.round(p50Ms * 10) / 10, Math.round(p99Ms)])).toEqual([
    ["queue", 5, 10],
    ["run", 50, 99],
  ]);
});
