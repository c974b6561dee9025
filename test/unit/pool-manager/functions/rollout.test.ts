import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FunctionRecord, Rollout, RolloutPolicy } from "../../../../pool-manager/functions/function.ts";
import { atOnce, declared, deployed } from "../../../../pool-manager/functions/revisions.ts";
import { advance, begin, type Evidence, end, movedAt, paceOf, STALLED_MS, targetOf } from "../../../../pool-manager/functions/rollout.ts";
import { policy, record } from "../../../helpers/builders/record.ts";

const seen = (change: Partial<Evidence> = {}): Evidence => ({ total: 10, ready: 1, failure: null, ended: 0, failed: 0, heldMs: 0, ...change });
const begun = () => ({ ...record(), ...begin(record(), "r2") });

describe("a rollout of ten instances by 1, 50 %, all, two at a time", () => {
  test("raises the share as instances can carry it, watches each step, and ends with the new revision active", () => {
    let now = begun();
    const path: string[] = [];
    const check = (ready: number, heldMs = 0) => {
      now = { ...now, ...advance(now, policy, seen({ ready, heldMs })) };
      path.push(`${now.traffic.split.r2 ?? "-"}${now.rollout?.watching ? " watched" : ""}`);
    };
    check(0);
    check(1);
    check(1);
    check(1, 999);
    check(1, 1000);
    check(1);
    check(2);
    check(3);
    check(5);
    check(5);
    check(5, 1000);
    check(5);
    check(7);
    check(9);
    check(9);
    check(10);
    expect(now.rollout).toMatchObject({ step: 2, watching: true, state: "rolling" });
    check(10, 1000);
    expect(path).toEqual("0,10,10 watched,10 watched,10,30,30,50,50 watched,50 watched,50,70,90,100,100,100 watched,-".split(","));
    expect(now).toMatchObject({ active: "r2", traffic: { split: {}, aliases: { a: "r1" } }, rollout: { state: "complete" } });
  });

  test("gives a function without an instance one, and then the share at once", () => {
    expect(advance(begun(), policy, seen({ total: 0, ready: 0 }))).toBeNull();
    expect(advance(begun(), { ...policy, steps: ["10%"] }, seen({ total: 1, ready: 1 }))?.traffic.split).toEqual({ r2: 10 });
  });

  test("stops and returns all traffic if the revision does not load, fails too often, or makes no progress", () => {
    const watched = { ...begun(), ...{ rollout: { ...begun().rollout, watching: true } } } as FunctionRecord;
    const states = [
      advance(begun(), policy, seen({ failure: "SyntaxError" })),
      advance(watched, policy, seen({ ended: 20, failed: 2 })),
      advance(watched, policy, seen({ ended: 1, failed: 1, heldMs: 1000 })),
      advance(begun(), policy, seen({ ready: 0, heldMs: STALLED_MS + 1 })),
      advance(
        { ...watched, rollout: { ...(watched.rollout as NonNullable<typeof watched.rollout>), state: "paused" } },
        policy,
        seen({ ended: 20, failed: 20 }),
      ),
    ];
    expect(states.map((one) => [one?.active, one?.traffic.split, one?.rollout?.state])).toEqual(Array(5).fill(["r1", {}, "stopped"]));
    expect(states.map((one) => one?.rollout?.reason)).toEqual([
      "SyntaxError",
      "2 of 20 invocations of r2 failed (maxErrors 5 percent)",
      "1 of 1 invocations of r2 failed (maxErrors 5 percent)",
      "no instance became ready for r2 within 10 minutes",
      "20 of 20 invocations of r2 failed (maxErrors 5 percent)",
    ]);
    // A few do not tell while it is still watched, and 5 percent are allowed.
    expect(advance(watched, policy, seen({ ended: 19, failed: 19, heldMs: 999 }))).toBeNull();
    expect(advance(watched, policy, seen({ ended: 20, failed: 1, heldMs: 999 }))).toBeNull();
  });

  test("stays as it is while it is paused", () => {
    const { rollout, ...rest } = begun();
    expect(
      advance({ ...rest, rollout: { ...(rollout as NonNullable<typeof rollout>), state: "paused" } }, policy, seen({ heldMs: 10 * STALLED_MS })),
    ).toBeNull();
  });

  test("for any evidence, the share never falls, and exceeds what is loaded by at most `parallel` instances", () => {
    const step = fc.record({ total: fc.integer({ min: 0, max: 12 }), readyPercent: fc.integer({ min: 0, max: 100 }), heldMs: fc.constantFrom(0, 1000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), (steps, parallel) => {
        let now: FunctionRecord = begun();
        for (const { total, readyPercent, heldMs } of steps) {
          const ready = Math.floor((total * readyPercent) / 100);
          const before = now.traffic.split.r2 ?? 100;
          now = { ...now, ...advance(now, { ...policy, parallel }, seen({ total, ready, heldMs })) };
          const after = now.traffic.split.r2 ?? 100;
          expect(after).toBeGreaterThanOrEqual(before);
          if (after > before) expect(movedAt(after, total)).toBeLessThanOrEqual(Math.max(ready + parallel, movedAt(before, total) + 1));
        }
      }),
    );
  });
});

test("shares and instances of a step", () => {
  expect([targetOf(policy, 0, 10), targetOf(policy, 0, 1), targetOf(policy, 1, 3), targetOf(policy, 2, 3)]).toEqual([10, 100, 50, 100]);
  expect([movedAt(10, 10), movedAt(1, 10), movedAt(99, 10), movedAt(50, 1), movedAt(0, 0), movedAt(100, 3)]).toEqual([1, 1, 9, 0, 0, 3]);
});

describe("a deployed revision", () => {
  test("takes over step by step if the function has a policy, and at once if not", () => {
    expect(deployed(record(), "r2")).toMatchObject({ active: "r1", traffic: { split: { r2: 0 } }, rollout: { from: "r1", to: "r2", state: "rolling" } });
    expect(deployed(record({ rolloutPolicy: null }), "r2")).toEqual({ ...atOnce(record(), "r2"), active: "r2" });
    expect(deployed(record(), "r2", { canary: 30 })).toMatchObject({ active: "r1", traffic: { split: { r2: 30 } }, rollout: null });
  });

  test("that must be loaded first takes over once it is, and then completely if the function has no policy", () => {
    const plain = record({ rolloutPolicy: null });
    const waits = { ...plain, ...deployed(plain, "r2", { onceLoaded: true }) };
    expect(waits).toMatchObject({ active: "r1", traffic: { split: { r2: 0 } }, rollout: { to: "r2", state: "rolling", onceLoaded: true } });
    const pace = paceOf(waits) as RolloutPolicy;
    expect(advance(waits, pace, seen({ ready: 0 }))).toBeNull();
    expect(advance(waits, pace, seen({ ready: 1 }))).toMatchObject({ active: "r2", traffic: { split: {} }, rollout: { state: "complete" } });
    expect(advance(waits, pace, seen({ ready: 0, failure: "SyntaxError" }))).toMatchObject({
      active: "r1",
      rollout: { state: "stopped", reason: "SyntaxError" },
    });
    expect(deployed(record(), "r2", { onceLoaded: true }).rollout).toEqual({ ...begun().rollout, startedAt: expect.any(String) });
  });

  test("that waits to be loaded takes no share from a canary before it is loaded, and none at all if it does not load", () => {
    const shared = record({ rolloutPolicy: null, traffic: { split: { r3: 20 }, aliases: {} } });
    const waits = { ...shared, ...deployed(shared, "r2", { onceLoaded: true }) };
    expect(waits.traffic.split).toEqual({ r2: 0, r3: 20 });
    const pace = paceOf(waits) as RolloutPolicy;
    expect(advance(waits, pace, seen({ ready: 0, failure: "SyntaxError" }))?.traffic.split).toEqual({ r3: 20 });
    expect(advance(waits, pace, seen({ ready: 1 }))?.traffic.split).toEqual({});
    const canary = { ...shared, ...deployed(shared, "r3", { onceLoaded: true }) };
    expect(canary.traffic.split).toEqual({ r3: 20 });
    expect(end(canary, canary.rollout as Rollout, "stopped", "").traffic.split).toEqual({ r3: 20 });
  });

  test("that waits to be loaded continues to wait when settings change, and takes over at once if that is requested", () => {
    const plain = record({ rolloutPolicy: null });
    const waits = { ...plain, ...deployed(plain, "r2", { onceLoaded: true }) };
    expect(deployed(waits, "r2")).toMatchObject({ active: "r1", rollout: waits.rollout });
    expect(deployed(waits, "r2", { onceLoaded: false })).toMatchObject({ active: "r2", rollout: null });
    expect(deployed(waits, "r1", { onceLoaded: true })).toMatchObject({ active: "r1", traffic: { split: {} }, rollout: null });
    const stopped = { ...waits, traffic: record().traffic, rollout: { ...(waits.rollout as Rollout), state: "stopped" as const } };
    expect(deployed(stopped, "r2", { onceLoaded: true }).rollout?.state).toBe("rolling");
  });

  test("that is being rolled out continues when only settings change; redeploying the old one ends it; a third one begins anew", () => {
    const half = { ...begun(), traffic: { split: { r2: 50 }, aliases: {} } };
    expect(deployed(half, "r2")).toMatchObject({ active: "r1", traffic: { split: { r2: 50 } }, rollout: half.rollout });
    expect(deployed(half, "r1")).toMatchObject({ active: "r1", traffic: { split: {} }, rollout: null });
    expect(deployed(half, "r3")).toMatchObject({ active: "r1", traffic: { split: { r3: 0 } }, rollout: { to: "r3", step: 0 } });
  });

  test("that is being rolled out takes over at once when the policy is removed", () => {
    expect(deployed({ ...begun(), rolloutPolicy: null }, "r2")).toMatchObject({ active: "r2", traffic: { split: {} }, rollout: null });
  });

  test("that was stopped is tried again when it is deployed, and not when its declaration is only read again", () => {
    const now = begun();
    const stopped = { ...now, ...end(now, now.rollout as NonNullable<typeof now.rollout>, "stopped", "why") };
    const same = { active: null, traffic: { split: {}, aliases: {} } };
    expect(deployed(stopped, "r2")).toMatchObject({ rollout: { state: "rolling" } });
    expect(declared(stopped, "r2", same)).toMatchObject({ active: "r1", rollout: { state: "stopped" } });
    expect(declared(record(), "r2", same)).toMatchObject({ active: "r1", rollout: { state: "rolling" } });
    expect(declared(now, "r2", { ...same, active: "r2" })).toMatchObject({ active: "r2", rollout: null });
  });
});
