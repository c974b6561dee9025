import { expect, test } from "vitest";
import { PlatformError } from "../../../../../pool-manager/platform/platform.ts";
import { RemovalProgress } from "../../../../../pool-manager/pool/act/removal-progress.ts";
import { Rest } from "../../../../helpers/builders/rest.ts";

const at = (removing: boolean) => new Map([["a", { removing }]]);
const never = () => false;

test("an instance is deleted once its drain deadline is over, and again if the deletion failed", () => {
  const leaving = new RemovalProgress();
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

test("a deletion that fails repeatedly is retried less and less often, but at least every ten seconds", () => {
  const leaving = new RemovalProgress();
  leaving.add("a", 0, 0);
  const pauses = Array.from({ length: 9 }, () => leaving.failed("a", 0));
  expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
});

test("a deletion that the platform accepted and no longer shows is sent again", () => {
  const leaving = new RemovalProgress();
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

/** Twenty instances idle for long; the platform refuses drains until it is told to take them. */
async function refusing(): Promise<{ rest: Rest; say: (inFlight: number) => void; accept: () => void; accepted: string[] }> {
  const rest = await Rest.reach();
  await rest.deploy("one", { minScale: 0, idleTimeout: "60s" });
  const uids = rest.warm();
  const say = (inFlight: number) => rest.report("r", Object.fromEntries(uids.map((uid) => [uid, { inFlight, idleMs: inFlight ? 0 : 120_000 }])));
  const { platform } = rest;
  const drain = platform.drain.bind(platform);
  const accepted: string[] = [];
  platform.drain = () => Promise.reject(new PlatformError("UNREACHABLE", "not certain to be the leader: nothing is ended"));
  await rest.pass(61_000);
  const accept = () => {
    platform.drain = (uid, ms) => {
      accepted.push(uid);
      return drain(uid, ms);
    };
  };
  return { rest, say, accept, accepted };
}

const served = (rest: Rest) => {
  let count = -1;
  rest.reconciler.subscribe((change) => {
    if (change.type === "snapshot") count = change.functions.flatMap(({ endpoints }) => endpoints).length;
  })();
  return count;
};

test("an instance whose drain was refused stays, and is served again, when the reason for it has gone meanwhile", async () => {
  const { rest, say, accept } = await refusing();
  say(0);
  await rest.pass(500);
  expect(served(rest)).toBeLessThan(20);
  for (let passed = 0; passed < 10 * 60_000; passed += 1000) {
    if (passed === 3000) accept();
    say(1);
    await rest.pass(1000);
  }
  expect([rest.harm, rest.states(), served(rest)]).toEqual([[], { warm: 20, prewarmed: 4 }, 20]);
  const count = (type: string) => rest.events.filter((event) => event.type === type).length;
  expect(count("instance.kept")).toBe(count("instance.removing"));
});

test("an instance whose drain was refused is drained again while the reason holds, once for the budget and in the events", async () => {
  const { rest, say, accept, accepted } = await refusing();
  for (let passed = 0; passed < 60_000; passed += 1000) {
    if (passed === 10_000) accept();
    say(0);
    await rest.pass(1000);
  }
  expect([accepted.length, rest.states()]).toEqual([20, { prewarmed: 4 }]);
  expect(rest.events.filter(({ type }) => type === "instance.removing")).toHaveLength(20);
  expect(rest.events.filter(({ type }) => type === "instance.kept")).toEqual([]);
});

test("the drain of an instance that does not get the order is retried, and the instance is deleted at its deadline if it is still to go", () => {
  const leaving = new RemovalProgress();
  leaving.add("a", 10_000, 0);
  expect(leaving.isRefused("a")).toBe(false);
  leaving.refused("a", 100);
  expect([leaving.isRefused("a"), leaving.has("a"), leaving.due(never, 60_000)]).toEqual([true, true, []]);
  expect([leaving.next("a", false, 500), leaving.next("a", false, 1100), leaving.next("a", true, 500)]).toEqual([null, "drain", "delete"]);
  leaving.asked("a");
  leaving.refused("a", 1200);
  expect([leaving.next("a", false, 2100), leaving.next("a", false, 2200), leaving.next("a", false, 10_250)]).toEqual([null, "drain", "delete"]);
  expect(leaving.takeBack(new Set(["a"]))).toEqual([]);
  expect([leaving.takeBack(new Set()), leaving.has("a")]).toEqual([["a"], false]);
});
