import { beforeEach, describe, expect, test } from "vitest";
import { decide } from "../../../../pool-manager/pool/decide/decide.ts";
import type { PoolSpec } from "../../../../pool-manager/pool/decide/world.ts";
import type { PoolEvent } from "../../../../pool-manager/pool/events.ts";
import { readHistory, writeHistory } from "../../../../pool-manager/pool/history/stored-history.ts";
import { PoolSizer } from "../../../../pool-manager/pool/pool-sizer.ts";
import { chooseSize } from "../../../../pool-manager/pool/sizing/choose-size.ts";
import { fn, NOW, PACE, POOL, world } from "../../../helpers/builders/world.ts";

const WALL = Date.UTC(2026, 10, 30, 9);
const AUTO: PoolSpec = { ...POOL, size: 1, max: 30, auto: { targetHit: 0.99, min: 1 } };

let pool: PoolSpec;
let wall: number;
let events: PoolEvent[];
let sizer: PoolSizer;

function opened(): PoolSizer {
  const choose = (_name: string, chosen: { size: number; refills: number }) => {
    if (pool.auto) pool = { ...pool, ...chosen };
  };
  return new PoolSizer({
    pools: { list: () => [pool], choose },
    pace: PACE,
    wall: () => wall,
    onEvent: (event) => events.push(event),
  });
}

/** A step in which so many invocations of a new function wait. */
function step(afterMs: number, waiting = 0): void {
  wall += afterMs;
  const uid = `f${wall}`;
  const demand = new Map(waiting > 0 ? [[uid, { waiting, inFlight: 0, oldestWaitMs: 0 }]] : []);
  const seen = world({ now: NOW + wall - WALL, pools: [pool], functions: waiting > 0 ? [fn(uid, { maxScale: 50 })] : [], demand });
  sizer.observe(seen, decide(seen));
}

beforeEach(() => {
  pool = AUTO;
  wall = WALL;
  events = [];
  sizer = opened();
});

test("without any record it has its least size", () => {
  pool = { ...AUTO, size: 3, auto: { targetHit: 0.99, min: 3 } };
  for (let i = 0; i < 10; i++) step(10_000);
  expect(pool.size).toBe(3);
  expect(sizer.lastOf("node")?.decision.reason).toBe("no claims in the last hour; min keeps 3");
});

test("bursts make it larger, and every decision can be replayed from what it kept", () => {
  for (let i = 0; i < 30; i++) step(20_000, 6);
  expect(pool.size).toBeGreaterThanOrEqual(6);
  const decisions = sizer.decisionsOf("node");
  expect(decisions.length).toBeGreaterThan(1);
  for (const { inputs, decision } of decisions) expect(chooseSize(inputs)).toEqual(decision);
});

test("the kept decisions are bounded, and end with the last", () => {
  for (let i = 0; i < 3000; i++) step(10_000, i % 400 < 200 ? (i % 7) + 1 : 0);
  const decisions = sizer.decisionsOf("node");
  expect(decisions.length).toBeLessThanOrEqual(51);
  expect(decisions.at(-1)).toBe(sizer.lastOf("node"));
});

test("changes are reported, at most one a minute, each from the size of the last report", () => {
  for (let i = 0; i < 60; i++) step(5000, (i % 10) + 1);
  const resized = events.flatMap((event) => (event.type === "pool.resized" ? [event] : []));
  expect(resized.length).toBeGreaterThan(0);
  expect(resized.length).toBeLessThanOrEqual(6);
  expect(resized.slice(1).map(({ from }) => from)).toEqual(resized.slice(0, -1).map(({ to }) => to));
});

describe("after a restart", () => {
  test("it continues with the size that was chosen, and with the claims", () => {
    for (let i = 0; i < 30; i++) step(20_000, 6);
    const { size } = pool;
    const stored = writeHistory(sizer.recorder.of("node", wall), 1e6);
    pool = AUTO;
    sizer = opened();
    sizer.restore("node", readHistory(stored));
    sizer.sizeAll();
    expect(pool.size).toBe(size);
    expect(sizer.lastOf("node")?.inputs.hour.claims).toBe(180);
  });

  test("a long time later the record is over, and it shrinks to its least size", () => {
    for (let i = 0; i < 30; i++) step(20_000, 6);
    for (let i = 0; i < 1000; i++) step(10_000);
    expect(pool.size).toBe(1);
  });
});

test("a pool that begins to size itself continues from its fixed size if it has a record", () => {
  pool = { ...POOL, size: 8, max: 30 };
  for (let i = 0; i < 3; i++) step(20_000, 2);
  pool = { ...pool, size: 1, auto: { targetHit: 0.99, min: 1 } };
  sizer.sizeAll();
  expect(pool.size).toBe(8);
  pool = { ...pool, auto: null, size: 4 };
  sizer.sizeAll();
  expect([pool.size, sizer.lastOf("node"), sizer.recorder.of("node", wall).chosen]).toEqual([4, null, null]);
});

test("changed bounds are decided on at once", () => {
  step(10_000);
  pool = { ...pool, auto: { targetHit: 0.99, min: 5 } };
  sizer.sizeAll();
  expect(pool.size).toBe(5);
});
