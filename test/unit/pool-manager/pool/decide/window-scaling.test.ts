import { describe, expect, test } from "vitest";
import type { WindowScaling } from "../../../../../pool-manager/functions/function.ts";
import { decide } from "../../../../../pool-manager/pool/decide/decide.ts";
import { wantedInstances } from "../../../../../pool-manager/pool/decide/wanted-instances.ts";
import type { InstanceView, RevisionTarget, WindowScale, World } from "../../../../../pool-manager/pool/decide/world.ts";
import { fn, instance, kinds, NOW, POOL, waiting, warm, world } from "../../../../helpers/builders/world.ts";

const POLICY: WindowScaling = { windowMs: 60_000, target: 70, scaleDownDelayMs: 0, activationScale: 1, maxScaleUpRate: 1000 };
const target = (change: Partial<RevisionTarget> = {}) => fn("a", { windowScaling: POLICY, idleTimeoutMs: 30_000, ...change });
const scale = (change: Partial<WindowScale> = {}): WindowScale => ({
  stable: 1,
  panic: 1,
  panicking: false,
  wanted: 1,
  most: 1000,
  idleForMs: 6000,
  ...change,
});
const says = (change: Partial<WindowScale>) => new Map([["a", scale(change)]]);
const idle = (uid: string, idleMs: number, change: Partial<InstanceView> = {}) => warm(uid, "a", { lastUsedAt: NOW - idleMs, ...change });

describe("wantedInstances by windows", () => {
  const asked = (waiting: number, inFlight = 0) => ({ waiting, inFlight, oldestWaitMs: 10 });
  test.each<[string, Partial<RevisionTarget>, Partial<WindowScale>, ReturnType<typeof asked> | undefined, number]>([
    ["the windows decide while nobody waits", {}, { wanted: 2 }, asked(0, 5), 2],
    ["without demand", {}, { wanted: 3 }, undefined, 3],
    ["a first invocation", {}, { wanted: 0 }, asked(1), 1],
    ["waiting invocations get what the present demand takes", {}, { wanted: 2 }, asked(2, 2), 4],
    ["but not more than the scale-up rate allows", {}, { wanted: 2, most: 3 }, asked(2, 2), 3],
    ["an activation", { windowScaling: { ...POLICY, activationScale: 3 } }, { wanted: 0 }, asked(1), 3],
    ["maxScale", { maxScale: 4 }, { wanted: 9 }, asked(3, 7), 4],
    ["minScale", { minScale: 2 }, { wanted: 0 }, undefined, 2],
  ])("%s", (_case, change, windows, demand, wanted) => {
    expect(wantedInstances(target(change), demand, 0, scale(windows))).toBe(wanted);
  });
});

describe("a function that scales by windows", () => {
  const decided = (change: Partial<World>) =>
    kinds(decide(world({ pools: [{ ...POOL, size: 0 }], functions: [target()], ...change })).actions).filter((kind) => kind !== "scale");
  const three = [idle("long", 20_000), idle("longer", 25_000), idle("short", 7000)];

  test("loses the instances that its windows do not want, the longest idle first, whatever the idle timeout", () => {
    expect(decided({ instances: three, windowScales: says({ wanted: 1 }) })).toEqual(["remove longer: scaled-down", "remove long: scaled-down"]);
    expect(decided({ instances: three, windowScales: says({ wanted: 3 }) })).toEqual([]);
    expect(decided({ instances: three, windowScales: new Map() })).toEqual([]);
  });

  test.each<[string, InstanceView[], Partial<WindowScale>, Partial<RevisionTarget>]>([
    ["that run invocations", [idle("i", 20_000, { inFlight: 1 }), idle("j", 20_000, { inFlight: 2 })], {}, {}],
    ["that a silent router may be using (I17)", [idle("i", 20_000, { unsure: true }), idle("j", 20_000, { unsure: true })], {}, {}],
    ["that were used within the panic window", [idle("i", 5000), idle("j", 5999)], {}, {}],
    ["before a whole window is known", [idle("i", 90_000), idle("j", 90_000)], { idleForMs: Number.POSITIVE_INFINITY }, {}],
    ["of its minScale", [idle("i", 20_000), idle("j", 20_000)], { wanted: 0 }, { minScale: 2 }],
  ])("keeps instances %s", (_case, instances, windows, change) => {
    expect(decided({ instances, functions: [target(change)], windowScales: says(windows) })).toEqual([]);
  });

  test("keeps the last instance for the idle timeout, and for as long as the windows want one", () => {
    expect(decided({ instances: [idle("i", 20_000), idle("j", 8000)], windowScales: says({ wanted: 0 }) })).toEqual(["remove i: scaled-down"]);
    expect(decided({ instances: [idle("i", 29_000)], windowScales: says({ wanted: 0 }) })).toEqual([]);
    expect(decided({ instances: [idle("i", 31_000)], windowScales: says({ wanted: 1 }) })).toEqual([]);
    expect(decided({ instances: [idle("i", 31_000)], windowScales: says({ wanted: 0 }) })).toEqual(["remove i: idle"]);
  });

  test("removes none while invocations wait", () => {
    expect(decided({ instances: three, windowScales: says({ wanted: 1 }), demand: waiting("a") })).toEqual([]);
  });

  test("in a rollout loses instances by the idle timeout alone", () => {
    const functions = [target(), target({ key: "a@r2", active: false, revision: "r2", takesOver: { percent: 0, parallel: 1, minScale: 0 } })];
    const next = warm("next", "a", { revision: "r2", boundRevision: "r2" });
    expect(decided({ functions, instances: [...three, next], windowScales: says({ wanted: 1 }) })).toEqual([]);
  });

  test("takes free instances before its own are full", () => {
    const demand = new Map([["a", { waiting: 0, inFlight: 1, oldestWaitMs: 0 }]]);
    const orders = (change: Partial<World>) => decided(change).filter((kind) => kind === "specialize").length;
    const windowScales = says({ wanted: 2 });
    expect(orders({ instances: [warm("i", "a", { inFlight: 1 }), instance("free")], demand, windowScales })).toBe(1);
    // A lull does not end a start that the windows want.
    expect(orders({ instances: [warm("i", "a"), instance("free")], windowScales })).toBe(1);
    expect(orders({ instances: [warm("i", "a"), warm("j", "a"), instance("free")], demand, windowScales })).toBe(0);
  });

  test("takes no free instance that an invocation of another function waits for", () => {
    const demand = new Map([...waiting("b", 2), ["a", { waiting: 0, inFlight: 1, oldestWaitMs: 0 }] as const]);
    const instances = [warm("i", "a", { inFlight: 1 }), instance("one"), instance("two")];
    const { actions } = decide(world({ functions: [target(), fn("b")], instances, demand, windowScales: says({ wanted: 3 }) }));
    expect(actions.flatMap((one) => (one.kind === "specialize" ? [one.functionUid] : []))).toEqual(["b", "b"]);
  });
});
