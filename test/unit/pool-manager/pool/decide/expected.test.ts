import { expect, test } from "vitest";
import { decide } from "../../../../../pool-manager/pool/decide/decide.ts";
import type { World } from "../../../../../pool-manager/pool/decide/world.ts";
import { fn, instance, kinds, NOW, POOL, waiting, warm, world } from "../../../../helpers/builders/world.ts";

const LONG_AGO = NOW - 60_000;
const expected = fn("a", { isExpected: true });
const decided = (change: Partial<World>) => kinds(decide(world(change)).actions);
const free = [instance("i1"), instance("i2")];

test.each([
  ["an instance is loaded before an expected invocation", { functions: [expected], instances: free }, ["specialize"]],
  ["none is loaded without one", { functions: [fn("a")], instances: free }, []],
  ["one that is there is enough", { functions: [expected], instances: [warm("w", "a"), ...free] }, []],
  ["an idle one is kept for it", { functions: [expected], instances: [warm("w", "a", { lastUsedAt: LONG_AGO }), ...free] }, []],
  ["an idle one is removed without one", { functions: [fn("a")], instances: [warm("w", "a", { lastUsedAt: LONG_AGO }), ...free] }, ["remove w: idle"]],
  [
    "further idle ones are removed",
    { functions: [expected], instances: [warm("w1", "a", { lastUsedAt: LONG_AGO }), warm("w2", "a", { lastUsedAt: LONG_AGO + 1 }), ...free] },
    ["remove w1: idle"],
  ],
] as const)("%s", (_title, change, actions) => {
  expect(decided(change)).toEqual(actions);
});

test("a function that waits gets the free instance first", () => {
  const { actions } = decide(world({ functions: [expected, fn("b")], instances: [instance("i1")], demand: waiting("b") }));
  expect(actions.flatMap((action) => (action.kind === "specialize" ? [action.functionUid] : []))).toEqual(["b"]);
});

test("at max, an instance that is kept for an expected invocation gives way to a function that waits, and one of minScale does not", () => {
  const pools = [{ ...POOL, max: 1 }];
  const instances = [warm("w", "a", { lastUsedAt: LONG_AGO })];
  const demand = waiting("b");
  expect(decided({ pools, functions: [expected, fn("b")], instances, demand })).toEqual(["remove w: reaped"]);
  expect(decided({ pools, functions: [fn("a", { minScale: 1 }), fn("b")], instances, demand })).toEqual([]);
});
