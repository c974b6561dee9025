import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { realClock } from "../../../../pool-manager/async/clock.ts";
import type { FunctionRecord, Rollout } from "../../../../pool-manager/functions/function.ts";
import { begin } from "../../../../pool-manager/functions/rollout.ts";
import { LoadTrials, type LoadVerdict } from "../../../../pool-manager/pool/load-trials.ts";

const revisions = ["r1", "r2", "r3"].map((id) => ({ id }));
const plain = { uid: "u", name: "f", active: "r1", traffic: { split: { r3: 0 }, aliases: {} }, rollout: null, revisions } as unknown as FunctionRecord;

let record: FunctionRecord | undefined;
let ready: Map<string, { status: "True" | "False"; reason: string; message: string }>;
let begun: string[];
let trials: LoadTrials;

beforeEach(() => {
  vi.useFakeTimers();
  [record, ready, begun] = [plain, new Map(), []];
  trials = new LoadTrials({
    clock: { ...realClock, now: () => Date.now() },
    recordOf: () => record,
    readiness: () => (_uid, revision) => ready.get(revision) ?? { status: "Unknown", reason: "Idle", message: "" },
    begun: (_uid, revision) => begun.push(revision),
  });
});
afterEach(() => {
  trials.close();
  vi.useRealTimers();
});

const loads = (revision: string) => ready.set(revision, { status: "True", reason: "Loaded", message: "" });
const fails = (revision: string) => ready.set(revision, { status: "False", reason: "LoadFailed", message: "SyntaxError" });
const isOpen = (revision: string) => trials.isOpen("u", revision, Date.now());

/** The outcome after this time; "": it still waits. */
async function stateAfter(ms: number, verdict: Promise<LoadVerdict> | null): Promise<LoadVerdict["state"] | ""> {
  let seen: LoadVerdict["state"] | "" = "";
  void verdict?.then(({ state }) => {
    seen = state;
  });
  await vi.advanceTimersByTimeAsync(ms);
  return seen;
}

describe("a trial of a revision that is invoked", () => {
  test("is open while a client waits, and ends when the revision has loaded", async () => {
    const waiting = trials.wait("u", "r1", 10_000);
    expect([await stateAfter(5000, waiting), isOpen("r1"), begun]).toEqual(["", true, ["r1"]]);
    loads("r1");
    expect([await stateAfter(100, waiting), isOpen("r1")]).toEqual(["loaded", false]);
  });

  test("ends at once when it is known that something has changed", async () => {
    const waiting = trials.wait("u", "r1", 10_000);
    await stateAfter(10, waiting);
    loads("r1");
    trials.changed();
    expect(await stateAfter(5, waiting)).toBe("loaded");
  });

  test("ends with the reason when it does not load, and the next one tries again", async () => {
    const waiting = trials.wait("u", "r3", 10_000);
    fails("r3");
    expect([await stateAfter(100, waiting), isOpen("r3"), await waiting]).toEqual(["failed", false, { state: "failed", message: "SyntaxError" }]);
    ready.clear();
    void trials.wait("u", "r3", 1000);
    expect(begun).toEqual(["r3", "r3"]);
  });

  test("continues if a client asks again at once, and is over if none does", async () => {
    expect(await stateAfter(1000, trials.wait("u", "r1", 1000))).toBe("waiting");
    void trials.wait("u", "r1", 1000);
    expect([isOpen("r1"), begun]).toEqual([true, ["r1"]]);
    await vi.advanceTimersByTimeAsync(3000);
    expect([isOpen("r1"), vi.getTimerCount()]).toEqual([false, 0]);
  });

  test("ends once the revision can no longer be invoked or its function is deleted", async () => {
    expect(await stateAfter(0, trials.wait("u", "r2", 1000))).toBe("superseded");
    const waiting = trials.wait("u", "r3", 1000);
    record = undefined;
    expect([await stateAfter(100, waiting), begun]).toEqual(["superseded", ["r3"]]);
  });
});

describe("a revision that takes over", () => {
  const changed = (change: Partial<Rollout>) => ({ ...rolling, rollout: { ...(rolling.rollout as Rollout), ...change } });
  const rolling = { ...plain, ...begin(plain, "r2", true) } as FunctionRecord;

  test("needs no trial; it has loaded when it gets invocations", async () => {
    record = rolling;
    loads("r2");
    const waiting = trials.wait("u", "r2", 10_000);
    expect([await stateAfter(1000, waiting), isOpen("r2")]).toEqual(["", false]);
    record = { ...changed({ state: "complete" }), active: "r2", traffic: plain.traffic };
    expect([await stateAfter(100, waiting), begun]).toEqual(["loaded", []]);
  });

  test("step by step has loaded at the first step", async () => {
    record = { ...changed({ onceLoaded: false }), traffic: { split: { r2: 10 }, aliases: {} } };
    expect(await stateAfter(0, trials.wait("u", "r2", 1000))).toBe("loaded");
  });

  test("and is stopped or undone has failed", async () => {
    record = { ...changed({ state: "stopped", reason: "SyntaxError" }), traffic: plain.traffic };
    expect(await trials.wait("u", "r2", 1000)).toEqual({ state: "failed", message: "SyntaxError" });
    record = { ...changed({ state: "undone", reason: "undone by hand" }), traffic: plain.traffic };
    expect(await trials.wait("u", "r2", 1000)).toEqual({ state: "failed", message: "undone by hand" });
  });

  test("and is delayed has loaded when an instance has", async () => {
    record = changed({ state: "paused" });
    const waiting = trials.wait("u", "r2", 1000);
    expect(await stateAfter(100, waiting)).toBe("");
    loads("r2");
    expect(await stateAfter(100, waiting)).toBe("loaded");
  });
});

test("at most a thousand clients wait, and all of them are answered when the pool manager ends", async () => {
  const waiting = Array.from({ length: 1000 }, () => trials.wait("u", "r1", 10_000));
  expect(trials.wait("u", "r1", 10_000)).toBeNull();
  trials.close();
  expect(new Set((await Promise.all(waiting)).map((verdict) => verdict?.state))).toEqual(new Set(["waiting"]));
});
