import { beforeEach, describe, expect, test } from "vitest";
import type { FunctionDemand } from "../../../../../pool-manager/client/contract.ts";
import { MAX_IDLE, PoolHistory } from "../../../../../pool-manager/pool/history/pool-history.ts";
import { readHistory, writeHistory } from "../../../../../pool-manager/pool/history/stored-history.ts";
import { IdlePlanner } from "../../../../../pool-manager/pool/idling/idle-planner.ts";
import { decideIdle } from "../../../../../pool-manager/pool/idling/idle-policy.ts";

const MINUTE_MS = 60_000;
const BEGIN = Date.UTC(2026, 10, 30, 9);
const SCALING = { minScale: 0, maxScale: 20, idleTimeoutMs: 600_000, queueDepth: 1000, queueTimeoutMs: 30_000 };

let now: number;
let history: PoolHistory;
let planner: IdlePlanner;
let isAuto: boolean;
let ended: number;

function opened(): IdlePlanner {
  return new IdlePlanner({
    historyOf: () => history,
    histories: () => [history],
    recordOf: (uid) => (uid === "gone" ? undefined : { runtime: "node", scaling: isAuto ? { ...SCALING, idleAuto: true } : SCALING }),
    wall: () => now,
  });
}

beforeEach(() => {
  now = BEGIN;
  history = new PoolHistory(BEGIN);
  planner = opened();
  isAuto = true;
  ended = 0;
});

function report(change: Partial<FunctionDemand>, router = "a"): void {
  const entry = { key: "f", revision: "r1", waiting: 0, inFlight: 0, oldestWaitMs: 0, ended, failed: 0, instances: [], ...change };
  planner.hear({ router, seq: 1, functions: [entry], suspects: [] });
}

/** An invocation that takes a second, and is reported twice. */
function invoke(router = "a"): void {
  report({ inFlight: 1 }, router);
  now += 1000;
  ended += 1;
  report({}, router);
}

/** Invocations, so many minutes apart. */
function every(minutes: number, count: number): void {
  for (let i = 0; i < count; i++) {
    invoke();
    now += minutes * MINUTE_MS - 1000;
  }
}

describe("a function that is invoked each half an hour", () => {
  beforeEach(() => {
    every(30.5, 8);
    invoke();
  });

  test.each([
    ["at first: unloaded soon, and nothing expected", 1, false],
    ["before the pause is over", 26, false],
    ["when its invocation is expected", 28, true],
    ["shortly after the period", 33, true],
    ["when it did not come", 35, false],
  ] as const)("%s", (_title, minutes, isExpected) => {
    now += minutes * MINUTE_MS;
    expect(planner.planOf("f")).toEqual({ idleTimeoutMs: 10_000, isExpected });
    expect(planner.expecting()).toEqual(isExpected ? ["f"] : []);
  });

  test("an invocation ends the expectation, and its end begins the next pause", () => {
    now += 30 * MINUTE_MS;
    report({ waiting: 1 });
    expect([planner.planOf("f")?.isExpected, planner.expecting()]).toEqual([false, []]);
    invoke();
    now += 29 * MINUTE_MS;
    expect(planner.expecting()).toEqual(["f"]);
  });

  test("a restart continues with what was stored", () => {
    history = readHistory(writeHistory(history, 1_000_000));
    planner = opened();
    planner.resume();
    now += 29 * MINUTE_MS;
    expect(planner.expecting()).toEqual(["f"]);
    expect(planner.planOf("f")).toEqual({ idleTimeoutMs: 10_000, isExpected: true });
  });

  test("a fixed idle timeout ends it", () => {
    now += 29 * MINUTE_MS;
    isAuto = false;
    expect([planner.planOf("f"), planner.expecting(), planner.lastOf("f")]).toEqual([null, [], null]);
  });

  test("the decision can be replayed from what it kept", () => {
    const last = planner.lastOf("f");
    expect(last && decideIdle(last.inputs)).toEqual(last?.decision);
  });
});

test("invocations that begin and end between two reports are seen by the number that has ended", () => {
  invoke();
  for (let i = 0; i < 8; i++) {
    now += 20 * MINUTE_MS;
    ended += 3;
    report({});
  }
  expect(planner.lastOf("f")?.inputs.bins).toEqual([[20, 8]]);
});

test("a router's first report is no invocation, and repeated reports of an idle function are none", () => {
  invoke("router-0");
  ended = 900;
  for (let i = 1; i < 100; i++) {
    now += 1000;
    report({}, `router-${i}`);
  }
  expect(planner.lastOf("f")?.inputs).toMatchObject({ bins: [], beyond: 0 });
  now += 5 * MINUTE_MS;
  invoke("router-99");
  expect(planner.lastOf("f")?.inputs.bins).toEqual([[6, 1]]);
});

test("functions that are reported, and not used, keep no record and take no other's place", () => {
  invoke();
  for (let i = 0; i < MAX_IDLE + 50; i++) report({ key: `f${i}` });
  expect([...history.idle.keys()]).toEqual(["f"]);
  for (let i = 0; i < MAX_IDLE - 1; i++) report({ key: `f${i}`, inFlight: 1 });
  report({});
  report({ key: "last", inFlight: 1 });
  expect([history.idle.size, history.idle.has("f"), history.idle.has("last")]).toEqual([MAX_IDLE, false, true]);
});

test("a function is idle once no router has an invocation; a router that is silent counts no longer", () => {
  invoke("a");
  now += 10 * MINUTE_MS;
  report({ inFlight: 1 }, "a");
  report({ inFlight: 1 }, "b");
  now += 1000;
  report({}, "b");
  expect(history.idle.get("f")?.idleSince).toBeNull();
  now += MINUTE_MS;
  report({}, "b");
  expect(history.idle.get("f")?.idleSince).toBe(now);
});

test("functions that are fixed or unknown are not recorded, and the others are bounded", () => {
  report({ key: "gone", inFlight: 1 });
  isAuto = false;
  report({ key: "fixed", inFlight: 1 });
  expect(history.idle.size).toBe(0);
  isAuto = true;
  for (let i = 0; i < MAX_IDLE + 50; i++) report({ key: `f${i}@r2`, inFlight: 1 });
  expect([history.idle.size, history.idle.has("f0"), history.idle.has(`f${MAX_IDLE + 49}`)]).toEqual([MAX_IDLE, false, true]);
});
