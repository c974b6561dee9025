import { describe, expect, test } from "vitest";
import { decide } from "../../../../../pool-manager/pool/decide/decide.ts";
import type { DemandView, InstanceView, RevisionTarget, World } from "../../../../../pool-manager/pool/decide/world.ts";
import { fn, instance, kinds, NOW, PACE, POOL, waiting, warm, world } from "../../../../helpers/builders/world.ts";

const image = (change: Partial<RevisionTarget> = {}) => fn("a", { byImage: true, maxScale: 20, ...change });
const r2 = image({ revision: "r2" });
const of = (uid: string, revision: string, change: Partial<InstanceView> = {}) => warm(uid, "a", { revision, boundRevision: revision, ...change });
/** The decisions on instances; how the pool is refilled is another matter. */
const decided = (change: Partial<World>) => kinds(decide(world(change)).actions).filter((kind) => kind !== "scale");
const inFlight = (count: number): DemandView => ({ waiting: 0, inFlight: count, oldestWaitMs: 0 });

describe("a function that is an image", () => {
  test("is bound at once, whatever the pace: the bind brings its program", () => {
    const claimed = of("i1", "r1", { state: "specializing", boundTo: null, boundRevision: null, specializedAt: NOW });
    const slow = { ...PACE, bindAfterMs: 300, bindDelayMs: 30_000 };
    expect([decided({ functions: [image()], instances: [claimed], pace: slow }), decided({ functions: [fn("a")], instances: [claimed], pace: slow })]).toEqual([
      ["bind"],
      [],
    ]);
  });

  test("gets a free instance for a new revision, and the instance of the retired one is drained, not reloaded", () => {
    const instances = [of("old", "r1", { inFlight: 1 }), instance("free")];
    const { actions } = decide(world({ functions: [r2], instances, demand: waiting("a") }));
    expect(kinds(actions).slice(0, 2)).toEqual(["remove old: replaced", "specialize"]);
    expect(actions[0]).toMatchObject({ drainMs: r2.timeoutMs });
    expect(actions[1]).toMatchObject({ instance: { uid: "free" }, revision: "r2", start: "prewarmed" });
  });

  test("keeps the instance of a retired revision while the pool is paused", () => {
    const instances = [of("old", "r1"), instance("free")];
    expect(decided({ functions: [r2], instances, pools: [{ ...POOL, paused: true }], demand: waiting("a") })).toEqual(["specialize"]);
  });

  test("that was code before is not reloaded either", () => {
    expect(decided({ functions: [r2], instances: [of("old", "r1", { state: "specializing" })] })).toEqual(["remove old: replaced"]);
  });
});

describe("a rollout of an image", () => {
  const active = image({ revision: "r1" });
  const next = (percent: number, parallel = 1) => image({ key: "a@r2", revision: "r2", active: false, takesOver: { percent, parallel, minScale: 0 } });
  const free = [instance("f1"), instance("f2"), instance("f3")];
  const olds = (count: number) => Array.from({ length: count }, (_, i) => of(`old${i}`, "r1"));
  const demand = (old: number, young: number) =>
    new Map([
      ["a", inFlight(old)],
      ["a@r2", inFlight(young)],
    ]);

  test.each<[string, InstanceView[], RevisionTarget, Map<string, DemandView>, string[]]>([
    ["takes as many free instances as may change at a time", [...olds(4), ...free], next(50, 2), demand(4, 0), ["specialize", "specialize"]],
    ["waits while as many are changing", [...olds(4), of("n", "r2", { state: "specializing" }), ...free], next(50), demand(4, 0), []],
    [
      "removes one that its share no longer needs once another serves",
      [...olds(4), of("n", "r2"), ...free],
      next(50),
      demand(2, 1),
      ["remove old0: replaced", "specialize"],
    ],
    ["removes none that the old revision's invocations need", [...olds(4), of("n", "r2"), of("n2", "r2"), ...free], next(50), demand(4, 2), ["specialize"]],
    ["keeps one instance of the active revision", [...olds(1), of("n", "r2"), ...free], next(99), demand(0, 1), []],
    ["stays within maxScale", [...olds(4), ...free], { ...next(50), maxScale: 4 }, demand(4, 0), []],
  ])("%s", (_what, instances, spec, demands, expected) => {
    const functions = [{ ...active, maxScale: spec.maxScale }, spec];
    const pools = [{ ...POOL, size: 0, max: 100, budget: { actions: 100, windowMs: 1000 } }];
    const made = decided({ functions, instances, demand: demands, pools }).filter((kind) => !kind.includes("pool-shrunk"));
    expect(made).toEqual(expected);
  });
});
