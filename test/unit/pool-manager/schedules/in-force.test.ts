import { beforeEach, expect, test } from "vitest";
import { parseManifest } from "../../../../pool-manager/functions/manifest/manifest.ts";
import { FunctionRegistry } from "../../../../pool-manager/functions/registry.ts";
import type { PoolSpec } from "../../../../pool-manager/pool/decide/world.ts";
import type { PoolEvent } from "../../../../pool-manager/pool/events.ts";
import { PoolSizer } from "../../../../pool-manager/pool/pool-sizer.ts";
import { type PoolStore, Pools } from "../../../../pool-manager/pool/pools.ts";
import { Reconciler } from "../../../../pool-manager/pool/reconciler.ts";
import { declarationOf } from "../../../../pool-manager/pool/settings/pool-change.ts";
import type { PoolChange } from "../../../../pool-manager/pool/settings/pool-fields.ts";
import { Schedules } from "../../../../pool-manager/schedules/schedules.ts";
import { FakePlatform } from "../../../fakes/fake-platform.ts";
import { memoryStore } from "../../../fakes/memory-store.ts";
import { VirtualTime } from "../../../simulation/time.ts";

const PACE = { urgent: 8, refill: 2, refillDelayMs: 0, startTimeoutMs: 60_000, lostAfterMs: 5000, bindDelayMs: 0, bindAfterMs: 0 };
const NODE: PoolSpec = {
  name: "node",
  runtime: "node",
  size: 2,
  max: 20,
  budget: { actions: 50, windowMs: 1000 },
  partition: 0,
  paused: false,
};
/** Berlin 07:55 on a Monday. */
const BEGIN = Date.UTC(2026, 10, 30, 6, 55);
const WORK = "Mon-Fri 08:00-19:00 Europe/Berlin";
const MINUTE_MS = 60_000;

let time: VirtualTime;
/** How far the wall clock is ahead of the time that passes. */
let set: number;
let saved: Map<string, PoolChange>;
let events: PoolEvent[];
/** Times of the wall clock. */
let resizedAt: number[];
let platform: FakePlatform;
let functions: FunctionRegistry;
let pools: Pools;
let sizer: PoolSizer;
let reconciler: Reconciler;

/** A pool manager on what is stored; an earlier one ends. */
async function lead(term: number): Promise<void> {
  reconciler?.close();
  const wall = () => BEGIN + time.now() + set;
  const schedules = new Schedules(wall);
  const store: PoolStore = {
    load: async () => new Map([...saved].map(([name, change]) => [name, { set: change, held: null }])),
    save: async (pool) => void saved.set(pool.name, declarationOf(pool)),
  };
  pools = new Pools(store, () => reconciler.poke(), { schedules });
  await pools.load([NODE]);
  const onEvent = (event: PoolEvent) => {
    sizer.heard(event);
    events.push(event);
    if (event.type === "pool.resized") resizedAt.push(wall());
  };
  sizer = new PoolSizer({ pools, pace: PACE, wall, onEvent });
  schedules.learnFrom((pool) => sizer.refillOf(pool));
  const onDecided = sizer.observe.bind(sizer);
  reconciler = new Reconciler({
    platform,
    functions,
    pools,
    layer: async () => new Uint8Array(),
    clock: time,
    pace: PACE,
    term,
    schedules,
    onEvent,
    onDecided,
  });
  await reconciler.start();
}

/** Passes time until the wall clock shows this time of the Monday in Berlin. */
async function until(clock: string): Promise<void> {
  const [hours = 0, minutes = 0, seconds = 0] = clock.split(":").map(Number);
  const at = Date.UTC(2026, 10, 30, hours - 1, minutes) + seconds * 1000;
  await time.run(at - BEGIN - set);
}

function free(): number {
  return platform.uids().filter((uid) => platform.life(uid)?.echo()?.state === "prewarmed").length;
}

function warm(): number {
  return platform.uids().filter((uid) => platform.life(uid)?.echo()?.state === "warm").length;
}

beforeEach(async () => {
  time = new VirtualTime(1);
  set = 0;
  saved = new Map();
  events = [];
  resizedAt = [];
  platform = new FakePlatform({
    now: time.now,
    deliver: (_what, effect) => void time.after(1, effect),
    after: (ms, effect) => void time.after(ms, effect),
    call: (_what, work) => new Promise((resolve, reject) => time.after(1, () => Promise.resolve().then(work).then(resolve, reject))),
  });
  functions = new FunctionRegistry(
    memoryStore(),
    async () => "image",
    (uid) => reconciler.functionChanged(uid),
  );
  await lead(1);
  await until("07:56");
});

test("a pool of a fixed size has as many as the schedule wants when the window begins, and its own number afterwards", async () => {
  await pools.set("node", { warm: [`${WORK}=12`] });
  await until("07:59");
  expect(free()).toBe(2);
  await until("08:00");
  expect(free()).toBe(12);
  expect(pools.get("node")).toMatchObject({ size: 12, ownSize: 2, scheduled: { instances: 12 } });
  set += 11 * 60 * MINUTE_MS - 2 * MINUTE_MS;
  await until("18:59:59");
  expect(free()).toBe(12);
  await until("19:00:10");
  expect(free()).toBe(2);
  const resized = events.flatMap((event) => (event.type === "pool.resized" ? [`${event.from} ${event.to} ${event.message}`] : []));
  expect(resized).toEqual([`2 12 12 by the schedule ${WORK}, which begins at 08:00`, `12 2 the schedule ${WORK} until 19:00 is over`]);
});

test("the loop wakes for a change, and does not find it in its next round", async () => {
  await pools.set("node", { warm: [`${WORK}=3`] });
  // Rounds are half a second apart, and are not due at whole seconds.
  set += 11 * 60 * MINUTE_MS - 10 * MINUTE_MS + 137;
  await until("19:00:01");
  expect(resizedAt.at(-1)).toBeGreaterThanOrEqual(Date.UTC(2026, 10, 30, 18));
  expect(resizedAt.at(-1)).toBeLessThan(Date.UTC(2026, 10, 30, 18) + 5);
});

test("a larger size of its own is kept", async () => {
  await pools.set("node", { size: 15, warm: [`${WORK}=12`] });
  await until("08:01");
  expect([free(), pools.get("node").size]).toEqual([15, 15]);
});

test("a pool that sizes itself does not go below the schedule, and the decision names it", async () => {
  await pools.set("node", { size: "auto", min: 1, warm: [`${WORK}=7`] });
  await until("08:01");
  expect(free()).toBe(7);
  const last = sizer.lastOf("node");
  expect(last?.inputs.scheduled).toEqual({ instances: 7, text: `the schedule ${WORK} until 19:00` });
  expect(last?.decision).toMatchObject({ size: 7, reason: `no claims in the last hour; 7 by the schedule ${WORK} until 19:00` });
  expect(sizer.decisionsOf("node").length).toBeGreaterThan(1);
});

test("a function has at least as many instances within the window, and loses them after it as idle ones", async () => {
  const manifest = parseManifest({ minScale: 1, idleTimeout: "5s", warm: [`${WORK}=4`] }, ["node"]);
  await functions.deploy("f", () => manifest, { layer: "one", entry: "index.mjs" });
  await until("07:58");
  expect(warm()).toBe(1);
  await until("08:00");
  expect(warm()).toBe(4);
  set += 11 * 60 * MINUTE_MS - 2 * MINUTE_MS;
  await until("18:59:59");
  expect(warm()).toBe(4);
  await until("19:00:10");
  expect(warm()).toBe(1);
});

test.each([
  ["a restart", "08:05"],
  ["a change of the leader while instances are ordered ahead", "07:59:58"],
])("after %s nothing is removed or created again", async (_title, clock) => {
  await pools.set("node", { warm: [`${WORK}=12`] });
  await until(clock);
  const before = platform.uids();
  await lead(2);
  await until("08:10");
  expect(platform.uids()).toEqual(expect.arrayContaining(before));
  expect(free()).toBe(12);
  expect(events.filter(({ type }) => type === "instance.removing")).toEqual([]);
});

test("a wall clock that is set is followed within a second, in both directions", async () => {
  await pools.set("node", { warm: [`${WORK}=6`] });
  expect(free()).toBe(2);
  set = 60 * MINUTE_MS;
  await time.run(time.now() + 3000);
  expect(free()).toBe(6);
  set = 0;
  await time.run(time.now() + 10_000);
  expect(free()).toBe(2);
});

test("schedules that are taken away end at once", async () => {
  await pools.set("node", { warm: [`${WORK}=12`] });
  await until("08:01");
  await pools.set("node", { warm: [] });
  await until("08:01:10");
  expect([free(), pools.get("node").warm, saved.get("node")]).toEqual([2, undefined, expect.not.objectContaining({ warm: expect.anything() })]);
});
