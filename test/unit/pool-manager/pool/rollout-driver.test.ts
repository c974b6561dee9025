import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { processClock } from "../../../../pool-manager/async/clock.ts";
import { ManagerError } from "../../../../pool-manager/errors.ts";
import type { FunctionRecord } from "../../../../pool-manager/functions/function.ts";
import { begin } from "../../../../pool-manager/functions/rollout.ts";
import { Attempts } from "../../../../pool-manager/pool/act/attempts.ts";
import type { PoolEvent } from "../../../../pool-manager/pool/events.ts";
import { RolloutDriver } from "../../../../pool-manager/pool/rollout-driver.ts";

const policy = { steps: [1], intervalMs: 1000, parallel: 1, maxErrors: 5 };
const before = { uid: "u", name: "f", runtime: "node", active: "r1", latest: "r2", traffic: { split: {}, aliases: {} }, rolloutPolicy: policy };

let record: FunctionRecord;
let events: PoolEvent[];
let tries: number;
let rollouts: RolloutDriver;
let failure: Error | null;
/** The observed state of the revision that takes over. */
let seen: () => object;
let attempts: Attempts;

beforeEach(() => {
  vi.useFakeTimers();
  record = { ...before, ...begin(before as unknown as FunctionRecord, "r2") } as unknown as FunctionRecord;
  [events, tries, failure] = [[], 0, null];
  seen = () => ({ total: 1, ready: 0, failure: "SyntaxError", ended: 0, failed: 0 });
  const onEvent = (event: PoolEvent) => events.push(event);
  const progress = async (from: FunctionRecord, change: object) => {
    tries++;
    if (failure) throw failure;
    record = { ...from, ...change };
  };
  const clock = processClock();
  attempts = new Attempts({ clock, onEvent });
  const rolling = () => (record.rollout?.state === "rolling" ? [record] : []);
  rollouts = new RolloutDriver({ functions: { rolling, progress, poolOf: () => "node" }, check: () => seen() as never, clock, onEvent, attempts });
  rollouts.start();
});
afterEach(() => {
  rollouts.close();
  vi.useRealTimers();
});

const told = () => events.flatMap((event) => (event.type === "action.failed" && event.again ? [] : [event.type]));

describe("a rollout whose progress cannot be written", () => {
  const refused = () => new ManagerError("STORE_FAILED", "could not be stored: an admission webhook denied the request");

  test("is reported, is tried again after growing pauses, and is reported to have continued", async () => {
    failure = refused();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(tries).toBeLessThan(50);
    expect(events[0]).toMatchObject({ type: "action.failed", action: "rollout", pool: "node", function: "u", reason: "STORE_FAILED", again: false });
    expect([told(), attempts.incidents.ofFunction("u")]).toMatchObject([["action.failed"], [{ action: "rollout" }]]);
    failure = null;
    await vi.advanceTimersByTimeAsync(16_000);
    expect([record.rollout?.state, told()]).toEqual(["stopped", ["action.failed", "action.recovered", "rollout.stopped"]]);
  });

  test("and that is changed meanwhile is not delayed by the pause", async () => {
    failure = refused();
    await vi.advanceTimersByTimeAsync(60_000);
    failure = null;
    record = { ...record };
    await vi.advanceTimersByTimeAsync(200);
    expect(record.rollout?.state).toBe("stopped");
  });
});

test("a rollout that cannot be read is reported, and ends nothing", async () => {
  seen = () => {
    throw new TypeError("a fault of ours");
  };
  await vi.advanceTimersByTimeAsync(5000);
  expect(events[0]).toMatchObject({ type: "action.failed", action: "rollout", message: "a fault of ours" });
  seen = () => ({ total: 1, ready: 0, failure: "SyntaxError", ended: 0, failed: 0 });
  await vi.advanceTimersByTimeAsync(5000);
  expect(record.rollout?.state).toBe("stopped");
});

test("a rollout whose instance has changed is checked at once, and others are not", async () => {
  rollouts.instanceChanged("other");
  await vi.advanceTimersByTimeAsync(10);
  expect(record.rollout?.state).toBe("rolling");
  rollouts.instanceChanged("u");
  await vi.advanceTimersByTimeAsync(10);
  expect(record.rollout?.state).toBe("stopped");
});
