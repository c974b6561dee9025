import { describe, expect, test } from "vitest";
import type { Obstacle, ObstacleKind } from "../../../../../pool-manager/platform/platform.ts";
import { decide } from "../../../../../pool-manager/pool/decide/decide.ts";
import type { InstanceView, World } from "../../../../../pool-manager/pool/decide/world.ts";
import { fn, instance, kinds, NOW, PACE, POOL, waiting, warm, world } from "../../../../helpers/builders/world.ts";

const obstacle = (kind: ObstacleKind, ms: number): Obstacle => ({ kind, since: NOW - ms, message: "" });
const starting = (uid: string, kind: ObstacleKind, ms: number) =>
  instance(uid, { state: "starting", lastUsedAt: 1000, runningSince: kind === "unreachable" ? NOW - ms : null, obstacle: obstacle(kind, ms) });
const created = ({ actions }: ReturnType<typeof decide>) => actions.reduce((sum, action) => sum + (action.kind === "scale" ? action.create : 0), 0);
const removed = (change: Partial<World>) => kinds(decide(world(change)).actions).filter((kind) => kind.startsWith("remove"));

describe("an instance that cannot serve does not count", () => {
  const HOURS = 10 * 3_600_000;

  test("pods that wait for a node stay, however long, and the pool requests no more than it lacks", () => {
    const instances = [starting("p1", "pending", HOURS), starting("p2", "pending", HOURS)];
    expect(decide(world({ instances })).actions).toEqual([]);
    expect(created(decide(world({ instances: instances.slice(1) })))).toBe(1);
  });

  test("a running pod that cannot be reached gets its timeout, is then replaced once, and is not removed for that reason", () => {
    const good = instance("good");
    expect(decide(world({ instances: [good, starting("u", "unreachable", PACE.startTimeoutMs - 1)] })).actions).toEqual([]);
    const decision = decide(world({ instances: [good, starting("u", "unreachable", PACE.startTimeoutMs + 1)] }));
    expect([created(decision), kinds(decision.actions)]).toEqual([1, ["scale"]]);
  });

  test("no invocation waits for free instances that ran before this pool manager started, and that it has not reached", () => {
    const pace = { ...PACE, startTimeoutMs: 60_000 };
    const unheard = (ms: number) => ["u1", "u2", "u3"].map((uid) => ({ ...starting(uid, "unreachable", ms), createdAt: 1, seenAt: NOW - ms }));
    const needed = { pace, functions: [fn("a")], demand: waiting("a") };
    const late = unheard(PACE.lostAfterMs + 1);
    expect(created(decide(world({ ...needed, instances: unheard(PACE.lostAfterMs - 1) })))).toBe(0);
    expect(created(decide(world({ ...needed, instances: late })))).toBe(1);
    expect(created(decide(world({ ...needed, instances: late, expectedCreations: new Map([["node", 1]]) })))).toBe(0);
    // The pool's own size can wait; those that this pool manager has seen to start still start; and all of them stay.
    expect(created(decide(world({ pace, instances: late })))).toBe(0);
    expect(created(decide(world({ ...needed, instances: late.map((one) => ({ ...one, createdAt: one.seenAt })) })))).toBe(0);
    expect(removed({ ...needed, instances: late })).toEqual([]);
  });

  test("no invocation waits for instances that have not started on an absent node, and no more are requested than are needed", () => {
    const pace = { ...PACE, startTimeoutMs: 60_000 };
    const away = (ms: number) => ["s1", "s2", "s3"].map((uid) => ({ ...starting(uid, "unreachable", ms), runningSince: null }));
    const needed = { pace, functions: [fn("a")], demand: waiting("a") };
    expect(created(decide(world({ ...needed, instances: away(PACE.lostAfterMs - 1) })))).toBe(0);
    expect(created(decide(world({ ...needed, instances: away(PACE.lostAfterMs + 1) })))).toBe(1);
    expect(created(decide(world({ ...needed, instances: [...away(PACE.lostAfterMs + 1), starting("s4", "blocked", 1)] })))).toBe(0);
    expect(removed({ ...needed, instances: away(PACE.lostAfterMs + 1) })).toEqual([]);
  });

  test("if none can be reached, a pool replaces as many as it keeps free, and tries one again after a long while", () => {
    const lost = (count: number, ms: number) => Array.from({ length: count }, (_, i) => starting(`u${i}`, "unreachable", ms));
    expect(created(decide(world({ instances: lost(2, 20_000) })))).toBeGreaterThan(0);
    expect(created(decide(world({ instances: lost(4, 20_000) })))).toBe(0);
    expect(removed({ instances: lost(4, 20_000) })).toEqual([]);
    // One has started since: what was wrong is mended.
    const since = (count: number) => lost(count, 20_000).map((one) => ({ ...one, seenAt: NOW - 30_000 }));
    expect(created(decide(world({ instances: [...since(4), instance("since", { readyAt: NOW - 1000 })] })))).toBe(1);
    expect(created(decide(world({ instances: [...since(4), instance("before", { readyAt: NOW - 40_000 })] })))).toBe(0);
    expect(removed({ instances: lost(4, 11 * PACE.startTimeoutMs) })).toEqual(["remove u0: unreachable"]);
  });

  test("a reachable free instance is never removed in favour of an unreachable one, which goes first", () => {
    const instances = [instance("a"), instance("b"), starting("u", "unreachable", 20_000)];
    expect(removed({ instances })).toEqual(["remove u: unreachable"]);
    const early = [instance("a"), instance("b"), starting("u", "unreachable", 1000)];
    expect(removed({ instances: early }).filter((kind) => kind.endsWith("pool-shrunk"))).toHaveLength(0);
  });

  test("a free instance whose connection is gone is not claimed, and is replaced when it stays away", () => {
    const broken = (ms: number) => [
      instance("gone", { obstacle: obstacle("unreachable", ms), lastUsedAt: 1000, readyAt: 1 }),
      instance("good", { readyAt: 2 }),
    ];
    const orders = (ms: number) => decide(world({ functions: [fn("a")], demand: waiting("a"), instances: broken(ms) })).actions;
    expect(orders(1).filter((action) => action.kind === "specialize")).toMatchObject([{ instance: { uid: "good" } }]);
    expect(created(decide(world({ instances: broken(1) })))).toBe(0);
    expect(created(decide(world({ instances: broken(PACE.lostAfterMs + 1) })))).toBe(1);
  });

  test("an unheard instance that a router uses is not lost: it may serve a function that is not recorded", () => {
    const used = { inFlight: 1, lastUsedAt: NOW };
    expect(removed({ instances: [instance("a"), instance("b"), { ...starting("u", "unreachable", HOURS), ...used }] })).toEqual([]);
  });

  test.each(["ended", "stuck"] as const)("what has %s holds no place", (kind) => {
    const corpses = Array.from({ length: POOL.max }, (_, i) =>
      instance(`c${i}`, { state: "failed", removing: true, deleting: true, obstacle: obstacle(kind, 60_000) }),
    );
    const decision = decide(world({ functions: [fn("a")], demand: waiting("a"), instances: corpses }));
    expect(created(decision)).toBeGreaterThan(0);
    const full = corpses.map((corpse) => ({ ...corpse, obstacle: null }));
    expect(created(decide(world({ functions: [fn("a")], demand: waiting("a"), instances: full })))).toBe(0);
  });

  test("a free instance that is recorded as that of an unknown function does not count as free, and is replaced", () => {
    const instances = [instance("good"), instance("edited", { boundTo: "nobody" })];
    const unknownFunctions = new Map([["nobody", "unproven" as const]]);
    expect(created(decide(world({ instances, unknownFunctions })))).toBe(1);
    expect(removed({ instances, unknownFunctions })).toEqual([]);
  });

  test("an instance that has ended unheard is failed, and is removed", () => {
    expect(removed({ instances: [instance("e", { state: "failed", obstacle: obstacle("ended", 1) })] })).toEqual(["remove e: failed"]);
  });

  test("at max, lost instances make room before idle ones do; if no node has room, an idle one does, although the pool's max would allow more", () => {
    const idle = (count: number) => Array.from({ length: count }, (_, i) => warm(`w${i}`, "b", { lastUsedAt: NOW - i }));
    const functions = [fn("a"), fn("b", { idleTimeoutMs: HOURS })];
    expect(removed({ functions, demand: waiting("a"), instances: [...idle(5), starting("u", "unreachable", 20_000)] })).toEqual(["remove u: unreachable"]);
    const homeless = [...idle(2), starting("p1", "pending", 10_000), starting("p2", "pending", 10_000), starting("p3", "pending", 10_000)];
    expect(removed({ functions, demand: waiting("a"), instances: homeless })).toEqual(["remove w1: reaped"]);
  });

  test("the platform is asked for instances in addition to those that were seen, whatever happens to these", () => {
    const instances = [instance("failed", { state: "failed" }), instance("leaving", { removing: true }), instance("free")];
    const [scale] = decide(world({ instances })).actions.filter((action) => action.kind === "scale");
    expect(scale).toMatchObject({ more: 1, create: 1, seen: new Set(["failed", "leaving", "free"]) });
  });
});

describe("a new leader", () => {
  const old = (view: InstanceView): InstanceView => ({ ...view, createdAt: -1e9, seenAt: NOW, lastUsedAt: NOW, readyAt: NOW, runningSince: NOW });
  const unheard = (uid: string, change: Partial<InstanceView> = {}) =>
    old(instance(uid, { state: "starting", obstacle: { kind: "unreachable", since: NOW, message: "" }, ...change }));

  test("removes nothing and creates nothing for pods of any age that it has not heard yet", () => {
    const bound = { boundTo: "a", boundRevision: "r1" };
    const instances = [unheard("free1"), unheard("free2"), unheard("bound", bound), old(warm("warm", "a")), old(warm("other", "a"))];
    expect(decide(world({ functions: [fn("a")], instances })).actions).toEqual([]);
  });

  test("keeps a function's instance that it cannot reach for the whole start timeout, and then as long as a router uses it; then it drains it", () => {
    const at = (ms: number, lastUsedAgoMs = ms) => {
      const silent = warm("w", "a", { seenAt: NOW - ms, lastUsedAt: NOW - lastUsedAgoMs, obstacle: obstacle("unreachable", ms) });
      return decide(world({ pools: [{ ...POOL, size: 0 }], functions: [fn("a", { timeoutMs: 40_000, idleTimeoutMs: 1e9 })], instances: [silent] })).actions;
    };
    expect(at(PACE.startTimeoutMs - 1)).toEqual([]);
    expect(at(10 * PACE.startTimeoutMs, 1000)).toEqual([]);
    expect(at(PACE.startTimeoutMs + 1)).toMatchObject([{ kind: "remove", reason: "unreachable", drainMs: 40_000 }]);
  });

  test("keeps the instances of a function that it does not know until its end is known", () => {
    const ended = (end: "unproven" | "unused" | "deleted") => removed({ instances: [warm("o", "f")], unknownFunctions: new Map([["f", end]]) });
    expect(["unproven", "unused", "deleted"].map((end) => ended(end as "unproven"))).toEqual([[], ["remove o: orphaned"], ["remove o: deleted-function"]]);
  });
});
