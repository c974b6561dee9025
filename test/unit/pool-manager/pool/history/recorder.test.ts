import { beforeEach, expect, test } from "vitest";
import { decide } from "../../../../../pool-manager/pool/decide/decide.ts";
import type { World } from "../../../../../pool-manager/pool/decide/world.ts";
import { ClaimRecorder } from "../../../../../pool-manager/pool/history/recorder.ts";
import { windowOf } from "../../../../../pool-manager/pool/history/windows.ts";
import { fn, instance, NOW, POOL, warm, world } from "../../../../helpers/builders/world.ts";

const WALL = Date.UTC(2026, 10, 30, 9);
const HOUR_MS = 3_600_000;
const pace = () => ({ refillMs: 2000, refills: 4 });

let recorder: ClaimRecorder;
let wall: number;

beforeEach(() => {
  recorder = new ClaimRecorder();
  wall = WALL;
});

/** Records what the real decision makes of a world. */
function observe(of: Partial<World>, afterMs = 100): void {
  wall += afterMs;
  const seen = world({ now: NOW + wall - WALL, ...of });
  recorder.observe(seen, decide(seen), wall, pace);
}

const waiting = (count: number) => new Map([["f", { waiting: count, inFlight: 0, oldestWaitMs: 10 }]]);
const hour = () => windowOf(recorder.of("node", wall).hour, wall, HOUR_MS, WALL);

test("a claim that finds a free instance is a hit, and one that waits for a new one is a miss, at the time when it came", () => {
  observe({ functions: [fn("f")], demand: waiting(3), instances: [instance("a")] });
  expect(hour()).toMatchObject({ claims: 3, hits: 1, misses: 0 });
  expect([...hour().depths]).toEqual([
    [0, 1],
    [1, 1],
    [2, 1],
  ]);
  const own = warm("a", "f");
  observe({ functions: [fn("f")], demand: new Map([["f", { waiting: 2, inFlight: 1, oldestWaitMs: 110 }]]), instances: [own] });
  expect(hour()).toMatchObject({ claims: 3, hits: 1 });
  const late = instance("b", { readyAt: NOW + wall - WALL + 50 });
  observe({ functions: [fn("f")], demand: new Map([["f", { waiting: 2, inFlight: 1, oldestWaitMs: 210 }]]), instances: [own, late] });
  expect(hour()).toMatchObject({ claims: 3, hits: 1, misses: 1 });
});

test("what stays missing is one claim, however often it is decided on; what gives up and comes again is another", () => {
  for (let i = 0; i < 5; i++) observe({ functions: [fn("f")], demand: waiting(2) });
  expect(hour().claims).toBe(2);
  observe({ functions: [fn("f")] });
  observe({ functions: [fn("f")], demand: waiting(1) });
  expect(hour().claims).toBe(3);
});

test("claims of revisions with different pools are those of each pool", () => {
  const functions = [fn("f"), fn("f", { key: "f@r2", revision: "r2", active: false, pool: "node-1gi" })];
  const demand = new Map([...waiting(2), ["f@r2", { waiting: 1, inFlight: 0, oldestWaitMs: 10 }] as const]);
  const inClass = () => windowOf(recorder.of("node-1gi", wall).hour, wall, HOUR_MS, WALL);
  for (let i = 0; i < 3; i++) observe({ pools: [POOL, { ...POOL, name: "node-1gi" }], functions, demand });
  expect([hour().claims, inClass().claims]).toEqual([2, 1]);
});

test("a change in place and an incomplete observation are no claims", () => {
  const stale = warm("a", "f", { revision: "r1" });
  observe({ functions: [fn("f", { revision: "r2" })], instances: [stale] });
  observe({ synced: false, functions: [fn("f")], demand: waiting(2) });
  expect(hour().claims).toBe(0);
});

test("a function's claims carry the number of its instances, and its time with each number is sampled", () => {
  observe({ functions: [fn("f")], demand: waiting(2), instances: [instance("a"), instance("b")] });
  const own = [warm("a", "f"), warm("b", "f")];
  for (let i = 0; i < 10; i++) observe({ functions: [fn("f")], instances: own }, 1000);
  const history = recorder.of("node", wall).functions.get("f");
  const seen = windowOf((history as NonNullable<typeof history>).hour, wall, HOUR_MS, WALL);
  expect([...seen.depths]).toEqual([
    [0, 1],
    [1, 1],
  ]);
  expect(seen.spent.get(2)).toBeGreaterThanOrEqual(9000);
  recorder.forget("f");
  expect(recorder.of("node", wall).functions.size).toBe(0);
});

test("a function's time is sampled by the invocations that it has at a time, of all of its revisions", () => {
  observe({ functions: [fn("f")], demand: waiting(1), instances: [instance("a")] });
  const demand = new Map([
    ["f", { waiting: 1, inFlight: 3, oldestWaitMs: 10 }],
    ["f@r1", { waiting: 0, inFlight: 2, oldestWaitMs: 0 }],
  ]);
  const functions = [fn("f", { concurrency: 10 }), fn("f@r1", { uid: "f", key: "f@r1", active: false, revision: "r0", concurrency: 10 })];
  for (let i = 0; i < 10; i++) observe({ functions, demand, instances: [warm("a", "f")] }, 1000);
  const history = recorder.of("node", wall).functions.get("f");
  expect([...(history?.hour.at(wall).loads ?? [])]).toEqual([[6, 10_000]]);
});

test("the number of functions with a history is bounded: the one whose last claim is oldest gives way", () => {
  const history = recorder.of("node", WALL);
  for (let i = 0; i < 400; i++) history.claimant(`f${i}`).claimed(WALL, 0);
  history.claimant("f150").claimed(WALL, 0);
  for (let i = 400; i < 500; i++) history.claimant(`f${i}`).claimed(WALL, 0);
  expect([history.functions.size, history.functions.has("f150"), history.functions.has("f151"), history.functions.has("f499")]).toEqual([
    256,
    true,
    false,
    true,
  ]);
});
