import { expect, test } from "vitest";
import { Phases } from "../../../../bench/function/phases.ts";

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
