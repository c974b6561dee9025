import { expect, test } from "vitest";
import { decide } from "../../../../../pool-manager/pool/decide/decide.ts";
import type { World } from "../../../../../pool-manager/pool/decide/world.ts";
import { Rest } from "../../../../helpers/builders/rest.ts";
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

test("the reconciler follows the plan of a function whose idle timeout is auto", async () => {
  const rest = await Rest.reach();
  await rest.deploy("one", { minScale: 0, idleTimeout: "auto" });
  const uid = rest.functions.list()[0]?.uid ?? "";
  let isExpected = false;
  const reports: string[] = [];
  rest.idling = {
    hear: ({ router }) => reports.push(router),
    planOf: (asked) => (asked === uid ? { idleTimeoutMs: 2000, isExpected } : null),
    expecting: () => (isExpected ? [uid] : []),
  };
  await rest.takeOver();
  const idleFor = async (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      rest.report("a", Object.fromEntries(rest.warm().map((instance) => [instance, { inFlight: 0, idleMs: 600_000 }])));
      await rest.pass(1000);
    }
  };
  await idleFor(20);
  expect([rest.states(), reports.length]).toEqual([{ prewarmed: 4 }, 20]);
  isExpected = true;
  await idleFor(5);
  expect(rest.states()).toEqual({ warm: 1, prewarmed: 4 });
  isExpected = false;
  await idleFor(5);
  expect(rest.states()).toEqual({ prewarmed: 4 });
});
