import { expect, test } from "vitest";
import { timedPhases } from "../../../../pool-manager/client/server-timing.ts";

test.each([
  ["queue;dur=1.5, claim;dur=2, load;dur=0.00, run;dur=40.25", { queue: 1.5, claim: 2, load: 0, run: 40.25 }],
  // A function's own metrics come first.
  ['run;dur=99, db;dur=9, run;desc="mine";dur=98, rerun;dur=97, queue;dur=1, run;dur=3', { queue: 1, run: 3 }],
  ["run;dur=-4, claim, load;dur=soon", {}],
  ["", {}],
])("server-timing %s", (header, expected) => {
  expect(timedPhases(header)).toEqual(expected);
});
