import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decide } from "../../../../../pool-manager/pool/decide/decide.ts";
import type { InstanceView } from "../../../../../pool-manager/pool/decide/world.ts";
import { fn, instance, kinds, NOW, PACE, POOL, waiting, warm, world } from "../../../../helpers/builders/world.ts";

describe("decide", () => {
  test("does nothing while the observation is incomplete", () => {
    expect(decide(world({ synced: false, instances: [warm("i1", "gone")] })).actions).toEqual([]);
  });

  test("takes the instance that has been prewarmed longest", () => {
    const instances = [instance("young", { readyAt: 9000 }), instance("old", { readyAt: 3000 })];
    const { actions } = decide(world({ functions: [fn("a")], demand: waiting("a"), instances }));
    expect(actions[0]).toMatchObject({ kind: "specialize", instance: { uid: "old" }, start: "prewarmed" });
  });

  test("an instance that became ready after the invocation came is a cold start", () => {
    const { actions } = decide(world({ functions: [fn("a")], demand: waiting("a", 1, 500), instances: [instance("i", { readyAt: NOW - 100 })] }));
    expect(actions[0]).toMatchObject({ kind: "specialize", start: "cold" });
  });

  test("every function gets its first instance before another gets its second", () => {
    const demand = new Map([...waiting("a", 3, 50), ...waiting("b", 1, 10)]);
    const { actions } = decide(world({ functions: [fn("a"), fn("b")], demand, instances: [instance("i1"), instance("i2")] }));
    expect(actions.filter((action) => action.kind === "specialize").map((action) => action.functionUid)).toEqual(["a", "b"]);
  });

  test("a starting instance counts: the same demand creates no second one", () => {
    const onItsWay = warm("i1", "a", { state: "specializing" });
    const { actions } = decide(world({ functions: [fn("a")], demand: waiting("a"), instances: [onItsWay, instance("i2"), instance("i3")] }));
    expect(kinds(actions)).toEqual([]);
  });

  test("at max the longest-idle instance above its minScale makes room, and a kept one does not", () => {
    const full = Array.from({ length: 6 }, (_, i) => warm(`i${i}`, i === 0 ? "kept" : "other", { lastUsedAt: NOW - 1000 + i }));
    const functions = [fn("kept", { minScale: 1 }), fn("other"), fn("new")];
    const { actions } = decide(world({ functions, demand: waiting("new"), instances: full }));
    expect(kinds(actions)).toEqual(["remove i1: reaped"]);
  });

  test("a client that waits for a first load counts as an invocation that waits, until an instance is starting", () => {
    const full = Array.from({ length: 5 }, (_, i) => warm(`i${i}`, "other", { lastUsedAt: NOW - 1000 + i }));
    const awaited = fn("new", { minScale: 1, isAwaited: true });
    const loading = warm("i6", "new", { state: "specializing" });
    expect(kinds(decide(world({ functions: [fn("other"), awaited], instances: [...full, warm("i5", "other")] })).actions)).toEqual(["remove i0: reaped"]);
    expect(kinds(decide(world({ functions: [fn("other"), awaited], instances: [...full, loading] })).actions)).toEqual([]);
  });

  test("a busy instance is not reaped", () => {
    const full = Array.from({ length: 6 }, (_, i) => warm(`i${i}`, "other", { inFlight: 1 }));
    expect(decide(world({ functions: [fn("other"), fn("new")], demand: waiting("new"), instances: full })).actions).toEqual([]);
  });

  test.each([
    ["failed", instance("i", { state: "failed" }), 0],
    ["failed", warm("i", "a", { state: "failed" }), 0],
    ["suspect", warm("i", "a", { suspect: true }), 60_000],
    ["misbound", warm("i", "a", { boundTo: "b" }), 60_000],
    ["deleted-function", warm("i", "deleted"), 2000],
    ["orphaned", warm("i", "nobody"), 2000],
    ["drained", warm("i", "a", { state: "gone" }), 60_000],
    ["drained", warm("i", "a", { state: "draining" }), 60_000],
    ["idle", warm("i", "a", { lastUsedAt: NOW - 6000 }), 60_000],
    ["start-timeout", instance("i", { state: "starting", runningSince: NOW - 11_000 }), 0],
  ])("removes an instance that is %s, with its function's timeout where it may run something still", (reason, candidate, drainMs) => {
    const { actions } = decide(
      world({
        functions: [fn("a", { timeoutMs: 60_000 })],
        unknownFunctions: new Map([
          ["deleted", "deleted"],
          ["nobody", "unused"],
        ]),
        instances: [candidate],
      }),
    );
    expect(kinds(actions)).toContain(`remove i: ${reason}`);
    expect(actions.flatMap((action) => (action.kind === "remove" ? [action.drainMs] : []))).toEqual([drainMs]);
  });

  test("a paused pool loses nothing and changes nothing in place; it still starts and creates", () => {
    const instances = [
      instance("broken", { state: "failed", functionUid: "a", revision: "r1" }),
      warm("old", "a", { revision: "r0" }),
      warm("idle", "b", { lastUsedAt: 0 }),
      instance("free"),
    ];
    const functions = [fn("a", { idleTimeoutMs: 1 }), fn("b", { idleTimeoutMs: 1 }), fn("c")];
    const running = decide(world({ instances, functions, demand: waiting("c") })).actions;
    expect(running.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["remove", "specialize", "scale", "bind"]));
    const { actions, throttled } = decide(world({ instances, functions, demand: waiting("c"), pools: [{ ...POOL, paused: true }] }));
    expect(actions.filter(({ kind }) => kind === "remove" || kind === "bind")).toEqual([]);
    expect(actions.filter((action) => action.kind === "specialize")).toMatchObject([{ instance: { uid: "free" }, start: "prewarmed" }]);
    expect(actions.some(({ kind }) => kind === "scale")).toBe(true);
    expect(throttled).toEqual([]);
  });

  test("the budget holds deletions back, whatever is observed", () => {
    const strays = Array.from({ length: 6 }, (_, i) => warm(`i${i}`, "nobody"));
    const { actions, throttled } = decide(
      world({ unknownFunctions: new Map([["nobody", "deleted"]]), instances: strays, disruptions: new Map([["node", 1]]) }),
    );
    expect(actions.filter((action) => action.kind === "remove")).toHaveLength(2);
    expect(throttled).toEqual(["node"]);
  });

  test("a fresh instance that is recorded as a function's is loaded with it, and one of a deleted function is removed", () => {
    const instances = [instance("a", { boundTo: "f" }), instance("b", { boundTo: "deleted" })];
    const { actions } = decide(
      world({
        pools: [{ ...POOL, size: 0 }],
        functions: [fn("f")],
        unknownFunctions: new Map([
          ["deleted", "deleted"],
          ["nobody", "unused"],
        ]),
        instances,
      }),
    );
    expect(actions.map((a) => (a.kind === "specialize" ? `${a.instance.uid} for ${a.functionUid}` : kinds([a])[0]))).toContain("a for f");
    expect(kinds(actions)).toContain("remove b: deleted-function");
  });

  test("an instance of a function that is not known stays as long as nothing proves that it was deleted", () => {
    const instances = [warm("a", "unknown"), warm("b", "unknown", { boundTo: null, boundRevision: null }), warm("c", "deleted")];
    const { actions } = decide(
      world({
        pools: [{ ...POOL, size: 0 }],
        functions: [],
        unknownFunctions: new Map([
          ["unknown", "unproven"],
          ["deleted", "deleted"],
        ]),
        instances,
      }),
    );
    expect(kinds(actions).filter((kind) => kind.startsWith("remove"))).toEqual(["remove c: deleted-function"]);
  });

  test("while invocations wait for instances, binds of serving instances wait too, but not for ever", () => {
    const pace = { ...PACE, bindDelayMs: 100 };
    const at = (specializedAt: number) => {
      const instances = [warm("a", "f", { boundTo: null, boundRevision: null, specializedAt })];
      return kinds(decide(world({ pace, functions: [fn("f"), fn("g")], instances, demand: waiting("g") })).actions);
    };
    expect(at(NOW - 50)).not.toContain("bind");
    expect(at(NOW - 150)).toContain("bind");
  });

  test("a refill waits while an instance is specializing, unless the pool runs out", () => {
    const busy = warm("b", "a", { state: "specializing" });
    const refill = (instances: InstanceView[]) => kinds(decide(world({ functions: [fn("a")], instances })).actions);
    expect(refill([busy, instance("i1")])).toEqual([]);
    expect(refill([busy])).toEqual(["scale"]);
    expect(refill([instance("i1")])).toEqual(["scale"]);
  });

  test("code that failed to load gets no instance before its delay is over, and then only for an invocation", () => {
    const blocked = fn("a", { blockedUntil: NOW + 1 });
    const due = fn("a", { blockedUntil: NOW - 1, minScale: 1 });
    const instances = [instance("i1"), instance("i2")];
    expect(kinds(decide(world({ functions: [blocked], demand: waiting("a"), instances })).actions)).toEqual([]);
    expect(kinds(decide(world({ functions: [due], instances })).actions)).toEqual([]);
    expect(kinds(decide(world({ functions: [due], demand: waiting("a"), instances })).actions)).toContain("specialize");
  });

  test("an instance of a function whose code does not load is removed after the idle timeout without an invocation", () => {
    const at = (idleMs: number, blockedUntil: number) => {
      const stranded = instance("s", { boundTo: "a", boundRevision: "r1", lastUsedAt: NOW - idleMs });
      const { actions } = decide(world({ pools: [{ ...POOL, size: 0 }], functions: [fn("a", { blockedUntil })], instances: [stranded] }));
      return kinds(actions);
    };
    expect(at(5001, NOW + 1)).toEqual(["remove s: idle"]);
    expect(at(5001, NOW - 1)).toEqual(["remove s: idle"]);
    expect(at(4999, NOW + 1)).toEqual([]);
    expect(at(5001, 0)).toEqual(["specialize"]);
  });

  test("decisions about any world stay within max and the budget, and act on each instance once", () => {
    const anyInstance = fc.record({
      state: fc.constantFrom("starting", "prewarmed", "specializing", "warm", "draining", "failed", "gone"),
      owner: fc.constantFrom(null, "a", "b", "nobody"),
      idle: fc.integer({ min: 0, max: 20_000 }),
      suspect: fc.boolean(),
      removing: fc.boolean(),
    });
    const asked = fc.integer({ min: 0, max: 30 });
    fc.assert(
      fc.property(fc.array(anyInstance, { maxLength: 6 }), asked, asked, fc.integer({ min: 0, max: 4 }), (drawn, a, b, spent) => {
        const instances = drawn.map(({ state, owner, idle, suspect, removing }, i) => {
          const functionUid = state === "warm" || state === "specializing" ? (owner ?? "a") : null;
          const change = { state, functionUid, boundTo: functionUid, revision: functionUid && "r1", boundRevision: functionUid && "r1" } as const;
          return instance(`i${i}`, { ...change, lastUsedAt: NOW - idle, suspect, removing });
        });
        const demand = new Map([...waiting("a", a), ...waiting("b", b)]);
        const { actions } = decide(world({ functions: [fn("a"), fn("b")], instances, demand, disruptions: new Map([["node", spent]]) }));
        const created = actions.reduce((sum, action) => sum + (action.kind === "scale" ? action.create : 0), 0);
        expect(instances.length + created).toBeLessThanOrEqual(POOL.max);
        const disruptive = actions.filter((action) => action.kind === "remove" || (action.kind === "specialize" && action.start === "warm"));
        expect(disruptive.length).toBeLessThanOrEqual(Math.max(0, POOL.budget.actions - spent));
        const touched = actions.flatMap((action) => (action.kind === "specialize" || action.kind === "remove" ? [action.instance.uid] : []));
        expect(new Set(touched).size).toBe(touched.length);
      }),
      { numRuns: 500 },
    );
  });
});
