import { expect, test } from "vitest";
import type { InstanceUse } from "../../../../../pool-manager/client/contract.ts";
import { decide } from "../../../../../pool-manager/pool/decide/decide.ts";
import { Demand } from "../../../../../pool-manager/pool/observe/demand.ts";
import { MissedRouters } from "../../../../../pool-manager/pool/publish/missed-routers.ts";
import { Rest } from "../../../../helpers/builders/rest.ts";
import { fn, instance, kinds, NOW, PACE, waiting, warm, world } from "../../../../helpers/builders/world.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Twenty warm instances that nothing but their use keeps. */
async function lean(): Promise<Rest> {
  const rest = await Rest.reach();
  await rest.deploy("one", { minScale: 0, idleTimeout: "60s" });
  return rest;
}

const all = (rest: Rest, use: { inFlight: number; idleMs: number }) => Object.fromEntries(rest.warm().map((uid) => [uid, use]));
const busy = { inFlight: 1, idleMs: 0 };

/** Each second of the time `say` is called, with the milliseconds that have passed. */
async function eachSecond(rest: Rest, ms: number, say: (passedMs: number) => void): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1000) {
    say(passed);
    await rest.pass(1000);
  }
}

/** The report of a router about instances that it never used. */
const idle = (passed: number) => ({ inFlight: 0, idleMs: 8000 + passed });

const told = (rest: Rest) => rest.events.flatMap((event) => (event.type.startsWith("router.") ? [event] : []));

// I17
test("instances in use stay when no router is heard any more, which is reported once", async () => {
  const rest = await lean();
  await eachSecond(rest, 5000, () => rest.report("a", all(rest, busy)));
  await rest.pass(5 * MINUTE_MS);
  expect([rest.harm, rest.states()]).toEqual([[], { warm: 20, prewarmed: 4 }]);
  expect(told(rest)).toMatchObject([{ type: "router.silent", router: "a", instances: 20 }]);
});

test("instances that were idle when the last router fell silent stay too: no report says that they still are", async () => {
  const rest = await lean();
  await eachSecond(rest, 30_000, (passed) => rest.report("a", all(rest, idle(passed))));
  await rest.pass(5 * MINUTE_MS);
  expect(rest.harm).toEqual([]);
});

test("instances that a router uses stay when it is cut off, whatever another router reports that never used them", async () => {
  const rest = await lean();
  await eachSecond(rest, 5000, (passed) => {
    rest.report("a", all(rest, busy));
    rest.report("b", all(rest, idle(passed)));
  });
  await eachSecond(rest, 5 * MINUTE_MS, (passed) => rest.report("b", all(rest, idle(5000 + passed))));
  expect([rest.harm, rest.states()]).toEqual([[], { warm: 20, prewarmed: 4 }]);
  // It is back: its first sign of life comes before it says what it uses.
  rest.report("a", {}, { seq: 0, functions: [] });
  await rest.pass(900);
  await eachSecond(rest, 10_000, (passed) => {
    rest.report("a", all(rest, busy));
    rest.report("b", all(rest, idle(305_000 + passed)));
  });
  expect(rest.harm).toEqual([]);
  expect(told(rest).map(({ type }) => type)).toEqual(["router.silent", "router.heard"]);
  await eachSecond(rest, 2 * MINUTE_MS, (passed) => {
    rest.report("a", all(rest, { inFlight: 0, idleMs: passed }));
    rest.report("b", all(rest, idle(315_000 + passed)));
  });
  expect(rest.states()).toEqual({ prewarmed: 4 });
});

test("the instances that a silent router used are kept for an hour; they are not kept if it has ended or if they had been idle for long", () => {
  const demand = new Demand();
  const missed = new MissedRouters();
  const say = (router: string, uses: InstanceUse[], now: number, leaving = false) => {
    const entry = { key: "f", revision: "r1", waiting: 0, inFlight: 0, oldestWaitMs: 0, ended: 0, failed: 0, instances: uses };
    demand.hear({ router, seq: now, functions: [entry], suspects: [], leaving }, now);
  };
  const used = (uid: string, inFlight = 1, idleMs = 0) => ({ uid, inFlight, idleMs });
  say("cut-off", [used("a"), used("long-idle", 0, 10 * MINUTE_MS)], 0);
  say("ended", [used("b")], 0);
  say("leaves", [used("c")], 0, true);
  const unsure = (now: number) => {
    say("heard", [used("a", 0, now)], now);
    const told = missed.check(demand, now).map((event) => ("router" in event ? `${event.type} ${event.router}` : ""));
    return [[...demand.byInstance(now)].flatMap(([uid, use]) => (use.unsure ? [uid] : [])), told];
  };
  expect(unsure(2000)).toEqual([[], []]);
  expect(unsure(4000)).toEqual([
    ["a", "b"],
    ["router.silent cut-off", "router.silent ended"],
  ]);
  demand.hearing.ended("ended");
  expect(unsure(5000)).toEqual([["a"], ["router.forgotten ended"]]);
  expect(unsure(HOUR_MS)).toEqual([["a"], []]);
  expect(unsure(HOUR_MS + 1)).toEqual([[], ["router.forgotten cut-off"]]);
});

test("a router that has left keeps no instance once it is silent", async () => {
  const rest = await lean();
  await eachSecond(rest, 5000, () => {
    rest.report("a", all(rest, busy));
    rest.report("b", all(rest, { inFlight: 0, idleMs: 0 }));
  });
  rest.report("a", all(rest, busy), { leaving: true });
  await eachSecond(rest, 2 * MINUTE_MS, (passed) => rest.report("b", all(rest, idle(passed))));
  expect(rest.states()).toEqual({ prewarmed: 4 });
  expect(told(rest)).toEqual([]);
});

test("a pool manager that takes over and hears no router counts no instance that it found as idle", async () => {
  const rest = await lean();
  await rest.takeOver();
  await rest.pass(5 * MINUTE_MS);
  expect([rest.harm, rest.states()]).toEqual([[], { warm: 20, prewarmed: 4 }]);
  await eachSecond(rest, 30_000, (passed) => rest.report("b", all(rest, idle(HOUR_MS + passed))));
  expect(rest.states()).toEqual({ prewarmed: 4 });
});

test("time in which the pool manager was stopped counts neither as idleness nor as silence of instances that it has not heard yet", async () => {
  const rest = await lean();
  await eachSecond(rest, 5000, () => rest.report("a", all(rest, busy)));
  rest.stop(10 * MINUTE_MS);
  await rest.pass(100);
  await eachSecond(rest, 5000, () => rest.report("a", all(rest, busy)));
  expect([rest.harm, told(rest)]).toEqual([[], []]);
});

test("an instance that a pool manager tries to reach when it is stopped gets its full timeout afterwards", async () => {
  const rest = await Rest.reach();
  const [late = ""] = rest.warm();
  await rest.takeOver((uid) => uid === late);
  await rest.pass(200);
  rest.stop(10 * MINUTE_MS);
  await rest.pass(5000);
  rest.platform.reach(late);
  await rest.pass(MINUTE_MS);
  expect([rest.harm, rest.states()]).toEqual([[], { warm: 20, prewarmed: 4 }]);
});

test("instances that a silent router may use are replaced one by one, with a fresh one beside them first", () => {
  const functions = [fn("a", { idleTimeoutMs: HOUR_MS })];
  const stale = (unsure: boolean) => ["w1", "w2", "w3"].map((uid) => warm(uid, "a", { replace: "version", unsure }));
  const decided = (unsure: boolean) => kinds(decide(world({ functions, instances: [...stale(unsure), instance("free")] })).actions);
  expect(decided(false)).toContain("remove w1: replaced");
  expect(decided(true)).toEqual(expect.arrayContaining(["specialize"]));
  expect(decided(true).join()).not.toContain("remove");
});

test("an instance that the pool manager does not reach is not given up while a silent router may reach it", () => {
  const obstacle = { kind: "unreachable" as const, since: NOW - 2 * PACE.startTimeoutMs, message: "" };
  const decided = (unsure: boolean, isolated: boolean) => {
    const instances = [warm("w", "a", { obstacle, lastUsedAt: obstacle.since, unsure }), instance("b"), instance("c")];
    const { actions } = decide(world({ functions: [fn("a", { minScale: 1 })], instances, isolated }));
    return kinds(actions).filter((kind) => kind.startsWith("remove"));
  };
  expect([decided(false, false), decided(true, false), decided(false, true)]).toEqual([["remove w: unreachable"], [], []]);
});

test.each(["in a full pool", "where somebody waits at max"])(
  "one that was never heard is not removed as a lost free one while a router may use it: %s",
  (where) => {
    const obstacle = { kind: "unreachable" as const, since: NOW - 20 * PACE.startTimeoutMs, message: "" };
    const decided = (change: object) => {
      const silent = instance("s", { state: "starting", obstacle, lastUsedAt: 1, seenAt: 1, ...change });
      const isFull = where === "in a full pool";
      const others = isFull ? [instance("b"), instance("c")] : Array.from({ length: 5 }, (_, i) => warm(`w${i}`, "a", { inFlight: 1 }));
      const demand = isFull ? new Map() : waiting("b");
      const { actions } = decide(world({ functions: [fn("a"), fn("b")], demand, instances: [silent, ...others] }));
      return kinds(actions).filter((kind) => kind === "remove s: unreachable");
    };
    expect(decided({})).toEqual(["remove s: unreachable"]);
    expect([decided({ unsure: true }), decided({ boundTo: "a", boundRevision: "r1", unsure: true })]).toEqual([[], []]);
  },
);
