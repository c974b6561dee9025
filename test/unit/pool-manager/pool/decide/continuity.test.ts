import { expect, test } from "vitest";
import type { TableFunction } from "../../../../../pool-manager/client/contract.ts";
import { Demand } from "../../../../../pool-manager/pool/observe/demand.ts";
import { Rest } from "../../../../helpers/builders/rest.ts";
import { VirtualTime } from "../../../../simulation/time.ts";

const SEEDS = Array.from({ length: 24 }, (_, n) => n + 1);
/** The start timeout of `Rest`. */
const START_TIMEOUT_MS = 10_000;

/** A router tells of what runs on these, again and again. */
function use(rest: Rest, uids: readonly string[], ms: number): void {
  const key = rest.functions.list()[0]?.uid ?? "";
  for (let at = 0; at < ms; at += 1000) {
    rest.time.after(at, () => {
      const instances = uids.map((uid) => ({ uid, inFlight: 1, idleMs: 0 }));
      rest.reconciler.report({
        router: "r",
        seq: rest.time.now(),
        functions: [{ key, revision: "r1", waiting: 0, inFlight: uids.length, oldestWaitMs: 0, ended: 0, failed: 0, instances }],
        suspects: [],
      });
    });
  }
}

const served = (table: readonly TableFunction[]) => table.flatMap(({ endpoints }) => endpoints.map(({ instanceUid }) => instanceUid)).sort();
const heard = (rest: Rest) => [...rest.platform.observe().instances.values()].flatMap(({ uid, echo }) => (echo?.state === "warm" ? [uid] : [])).sort();

test.each(SEEDS)("successive pool managers end nothing and create nothing, in whatever order they hear instances and routers (seed %i)", async (seed) => {
  const rest = await Rest.reach();
  const dice = new VirtualTime(seed);
  const before = rest.platform.uids().sort();
  const longest = dice.pick([5, 250, 3000, START_TIMEOUT_MS - 500]) as number;
  rest.eventMs = () => dice.between(0, longest);
  for (let leaders = 0; leaders < 3; leaders++) {
    // These instances are never heard; routers continue to use them.
    const mute = heard(rest).filter(() => dice.chance(0.15));
    await rest.pass(dice.between(0, 5 * START_TIMEOUT_MS));
    use(rest, mute, 3 * START_TIMEOUT_MS);
    const table = await rest.takeOver((uid) => mute.includes(uid));
    expect(served(table)).toEqual(heard(rest));
    await rest.pass(dice.between(0, 3 * START_TIMEOUT_MS - 1000));
    for (const uid of mute) rest.platform.reach(uid);
    await rest.pass(longest + 10);
    expect([rest.harm, rest.platform.uids().sort(), rest.states()]).toEqual([[], before, { warm: 20, prewarmed: 4 }]);
  }
});

// I11
test("a function's instance that nobody has reached for the whole start timeout is drained, not killed", async () => {
  const rest = await Rest.reach();
  const [lost = "", ...others] = heard(rest);
  await rest.takeOver((uid) => uid === lost);
  use(rest, others, 80_000);
  await rest.pass(START_TIMEOUT_MS - 1000);
  expect(rest.harm).toEqual([]);
  await rest.pass(60_000);
  expect(rest.harm).toContain(`drain ${lost}`);
  expect(rest.platform.uids()).not.toContain(lost);
});

test("a pool manager that hears no router gives up no unreached instance of a function: a router may reach it", async () => {
  const rest = await Rest.reach();
  const [lost = ""] = heard(rest);
  await rest.takeOver((uid) => uid === lost);
  await rest.pass(30 * 60_000);
  expect(rest.harm).toEqual([]);
});

test("a pool manager that reaches neither instances nor routers ends no instance, however long, and continues when it reaches them", async () => {
  const rest = await Rest.reach();
  const before = rest.platform.uids().sort();
  await rest.takeOver(() => true);
  const late = rest.eventMs;
  rest.eventMs = () => 1e9;
  // A router that was once heard would be taken for ended after an hour.
  await rest.pass(75 * 60_000);
  expect(before.filter((uid) => rest.harm.some((harm) => harm.endsWith(` ${uid}`)))).toEqual([]);
  rest.eventMs = late;
  for (const uid of before) rest.platform.reach(uid);
  await rest.pass(60_000);
  expect(rest.states()).toMatchObject({ warm: 20, prewarmed: 4 });
  expect(before.filter((uid) => !rest.platform.uids().includes(uid))).toEqual([]);
});

test("the time of an instance's last use stays known after the router that reported it has fallen silent, until the instance is gone", () => {
  const demand = new Demand();
  const instances = [{ uid: "i", inFlight: 0, idleMs: 100 }];
  const entry = { key: "f", revision: "r1", waiting: 0, inFlight: 0, oldestWaitMs: 0, ended: 0, failed: 0, instances };
  demand.hear({ router: "r", seq: 1, functions: [entry], suspects: [] }, 1000);
  expect(demand.byInstance(60_000).get("i")).toMatchObject({ inFlight: 0, lastUsedAt: 900 });
  expect(demand.byFunction(60_000).size).toBe(0);
  demand.retain(new Map());
  expect(demand.byInstance(60_000).get("i")).toBeUndefined();
});
