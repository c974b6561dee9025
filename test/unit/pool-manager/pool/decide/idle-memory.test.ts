import { describe, expect, test } from "vitest";
import { decide } from "../../../../../pool-manager/pool/decide/decide.ts";
import { idleBytes } from "../../../../../pool-manager/pool/decide/memory-use.ts";
import type { DemandView, PoolSpec, World } from "../../../../../pool-manager/pool/decide/world.ts";
import { INSTANCE_BYTES } from "../../../../../pool-manager/pool/memory/idle-memory.ts";
import { fn, instance, kinds, NOW, POOL, waiting, warm, world } from "../../../../helpers/builders/world.ts";

/** A pool of two free instances whose idle memory has room for `count` instances. */
const roomFor = (count: number, change: Partial<PoolSpec> = {}): PoolSpec => ({
  ...POOL,
  max: 20,
  memory: { limit: count * INSTANCE_BYTES, instance: INSTANCE_BYTES, reserved: 0 },
  ...change,
});
const patient = (uid: string, change = {}) => fn(uid, { idleTimeoutMs: 600_000, ...change });
const idle = (uid: string, owner: string, seconds: number) => warm(uid, owner, { lastUsedAt: NOW - seconds * 1000 });
const free = [instance("i1"), instance("i2")];
const decided = (pool: PoolSpec, change: Partial<World>) => kinds(decide(world({ pools: [pool], ...change })).actions);

describe("idle instances beside two free ones", () => {
  const functions = [patient("a"), patient("b"), patient("c")];
  const instances = [...free, idle("w1", "a", 30), idle("w2", "b", 90), idle("w3", "c", 60)];

  test.each([
    ["all fit", 5, []],
    ["the longest idle one leaves", 4, ["remove w2: idle-memory"]],
    ["those that do not fit leave", 3, ["remove w2: idle-memory", "remove w3: idle-memory"]],
    ["free instances come first", 2, ["remove w2: idle-memory", "remove w3: idle-memory", "remove w1: idle-memory"]],
  ])("%s", (_title, count, actions) => {
    expect(decided(roomFor(count), { functions, instances })).toEqual(actions);
  });

  test("without a limit, all stay", () => {
    expect(decided({ ...POOL, max: 20 }, { functions, instances })).toEqual([]);
  });

  test("an instance that has just been used is not idle, and one in use neither", () => {
    const used = [idle("w1", "a", 9), warm("w2", "b", { lastUsedAt: NOW - 60_000, inFlight: 1 }), idle("w3", "c", 60)];
    expect(decided(roomFor(2), { functions, instances: [...free, ...used] })).toEqual(["remove w3: idle-memory"]);
  });

  test("an instance that a silent router may be using stays", () => {
    const unsure = warm("w1", "a", { lastUsedAt: NOW - 60_000, unsure: true });
    expect(decided(roomFor(2), { functions, instances: [...free, unsure] })).toEqual([]);
  });

  test("an instance with a larger memory limit counts as that", () => {
    const large = [patient("a", { memoryBytes: 3 * INSTANCE_BYTES }), patient("b"), patient("c")];
    expect(decided(roomFor(7), { functions: large, instances })).toEqual([]);
    expect(decided(roomFor(6), { functions: large, instances })).toEqual(["remove w2: idle-memory"]);
    const oldest = [...free, idle("w1", "a", 300), idle("w2", "b", 90), idle("w3", "c", 60)];
    expect(decided(roomFor(6), { functions: large, instances: oldest })).toEqual(["remove w1: idle-memory"]);
  });

  test("a paused pool removes nothing", () => {
    expect(decided(roomFor(2, { paused: true }), { functions, instances })).toEqual([]);
  });
});

describe("minScale is kept in any case", () => {
  const two = [idle("w1", "a", 60), idle("w2", "a", 50), idle("w3", "a", 40)];
  const reserved = (count: number, kept: number) =>
    roomFor(count, { memory: { limit: count * INSTANCE_BYTES, instance: INSTANCE_BYTES, reserved: kept * INSTANCE_BYTES } });

  test("above the limit, too", () => {
    const functions = [patient("a", { minScale: 2 })];
    expect(decided(reserved(1, 2), { functions, instances: [...free, ...two] })).toEqual(["remove w1: idle-memory"]);
    expect(decided(reserved(4, 2), { functions, instances: [...free, ...two] })).toEqual(["remove w1: idle-memory"]);
    expect(decided(reserved(5, 2), { functions, instances: [...free, ...two] })).toEqual([]);
  });

  test("missing instances of minScale come above the limit", () => {
    expect(decided(reserved(1, 1), { functions: [patient("a", { minScale: 1 })], instances: free })).toEqual(["specialize"]);
  });

  test("what a schedule adds to it is within the limit", () => {
    const functions = [patient("a", { minScale: 3, scheduled: 2 })];
    expect(decided(reserved(3, 1), { functions, instances: [...free, ...two] })).toEqual(["remove w1: idle-memory", "remove w2: idle-memory"]);
    expect(decided(reserved(5, 1), { functions, instances: [...free, ...two] })).toEqual([]);
  });

  test("a schedule's instances are started as far as they fit", () => {
    const functions = [patient("a", { minScale: 3, scheduled: 2 })];
    const started = (count: number) =>
      decided(reserved(count, 1), { functions, instances: [...free, instance("i3")] }).filter((kind) => kind === "specialize").length;
    expect([started(3), started(4), started(5)]).toEqual([1, 2, 3]);
  });
});

describe("an expected invocation", () => {
  const functions = [patient("a", { isExpected: true })];

  test("gets an instance if there is room beside the free ones and idle ones", () => {
    expect(decided(roomFor(3), { functions, instances: free })).toContain("specialize");
    expect(decided(roomFor(2), { functions, instances: free })).toEqual([]);
    const others = { functions: [...functions, patient("b")], instances: [...free, warm("w", "b", { lastUsedAt: NOW - 1000 })] };
    expect(decided(roomFor(4), others)).toContain("specialize");
    expect(decided(roomFor(3), others)).toEqual([]);
  });

  test("its instance leaves if it is the longest idle one", () => {
    expect(decided(roomFor(2), { functions, instances: [...free, idle("w", "a", 60)] })).toEqual(["remove w: idle-memory"]);
  });

  test("a removed instance is not started again", () => {
    const both = [...functions, patient("b", { memoryBytes: 2 * INSTANCE_BYTES })];
    expect(decided(roomFor(4), { functions: both, instances: [...free, idle("w", "b", 60)] })).toEqual([]);
  });
});

describe("windows", () => {
  const spec = patient("a", { windowScaling: { windowMs: 60_000, target: 70, maxScaleUpRate: 1000, scaleDownDelayMs: 0, activationScale: 1 } });
  const scale = { stable: 4, panic: 4, panicking: false, wanted: 4, most: 20, idleForMs: 6000 };
  const windowScales = new Map([["a", scale]]);
  const inFlight = (count: number): Map<string, DemandView> => new Map([["a", { waiting: 0, inFlight: count, oldestWaitMs: 0 }]]);

  test("start as many instances as fit", () => {
    const busy = [warm("w1", "a", { inFlight: 1 }), warm("w2", "a", { inFlight: 1 })];
    const of = (count: number) =>
      decided(roomFor(count), { functions: [spec], windowScales, demand: inFlight(2), instances: [...busy, ...free] }).filter((kind) => kind === "specialize")
        .length;
    expect([of(2), of(3), of(4)]).toEqual([0, 1, 2]);
  });

  test("lose idle instances that they want, and these do not come back", () => {
    const instances = [...free, idle("w1", "a", 60), idle("w2", "a", 50), warm("w3", "a", { inFlight: 1 })];
    expect(decided(roomFor(3), { functions: [spec], windowScales, demand: inFlight(1), instances })).toEqual(["remove w1: idle-memory"]);
  });
});

describe("whoever waits is served", () => {
  test("with nothing left of the limit", () => {
    const actions = decided(roomFor(0), { functions: [patient("a")], demand: waiting("a", 5), instances: free });
    expect(actions).toEqual(["specialize", "specialize", "scale"]);
  });

  test("although idle instances take more than the limit", () => {
    const instances = [...free, idle("w1", "b", 60)];
    const actions = decided(roomFor(1), { functions: [patient("a"), patient("b")], demand: waiting("a", 1), instances });
    expect(actions).toEqual(["specialize", "remove w1: idle-memory"]);
  });

  test("a caller who waits for the first load of a revision is one of them", () => {
    const functions = [patient("a", { minScale: 1, scheduled: 1, isAwaited: true })];
    expect(decided(roomFor(0), { functions, instances: free })).toContain("specialize");
  });
});

test("what instances without an invocation take", () => {
  const functions = [patient("a", { memoryBytes: 3 * INSTANCE_BYTES }), patient("b")];
  const starting = instance("s", { state: "starting" });
  const instances = [...free, starting, idle("w1", "a", 60), idle("w2", "b", 60), idle("w3", "b", 2), warm("w4", "b", { inFlight: 1, lastUsedAt: 0 })];
  const elsewhere = instance("p", { pool: "python" });
  expect(idleBytes(world({ functions, instances: [...instances, elsewhere] }), "node") / INSTANCE_BYTES).toBe(3 + 3 + 1);
});
