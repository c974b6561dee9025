import { describe, expect, test } from "vitest";
import { decide } from "../../../../pool-manager/pool/decide/decide.ts";
import type { InstanceView, RevisionTarget, World } from "../../../../pool-manager/pool/decide/world.ts";
import { fn, instance, kinds, NOW, POOL, waiting, warm, world } from "../../../helpers/builders/world.ts";

/** The base pool and that of a size class; what they create is another matter. */
const BASE = { ...POOL, size: 0 };
const CLASS = { ...POOL, name: "node-1gi", size: 1 };
const TIMEOUT_MS = 7000;
const inClass = (change: Partial<RevisionTarget> = {}) => fn("a", { pool: "node-1gi", revision: "r2", timeoutMs: TIMEOUT_MS, ...change });
const old = (change: Partial<InstanceView> = {}) => warm("old", "a", change);
const served = (change: Partial<InstanceView> = {}) => warm("new", "a", { pool: "node-1gi", revision: "r2", boundRevision: "r2", ...change });
const inFlight = (key: string, count: number) => new Map([[key, { waiting: 0, inFlight: count, oldestWaitMs: 0 }]]);
const decided = (change: Partial<World>) => kinds(decide(world({ pools: [BASE, CLASS], ...change })).actions).filter((kind) => kind !== "scale");

describe("an instance whose function takes instances of another pool", () => {
  // The active revision r2 is the class's; the instance `old` is the base pool's.
  test.each<[string, InstanceView[], RevisionTarget[], Partial<World>, string[]]>([
    ["has loaded a retired revision: it is drained at once", [old({ inFlight: 1 })], [inClass()], {}, ["remove old: replaced"]],
    ["is still loading a retired revision", [old({ state: "specializing" })], [inClass()], {}, ["remove old: replaced"]],
    ["has a load order under way", [old({ state: "specializing", ordering: true })], [inClass()], {}, []],
    [
      "has loaded nothing and is recorded as the function's",
      [old({ state: "prewarmed", functionUid: null, revision: null })],
      [inClass()],
      {},
      ["remove old: replaced"],
    ],
    ["has not been heard yet: it may be serving", [old({ state: "starting", functionUid: null, revision: null })], [inClass()], {}, []],
    ["is in a paused pool", [old()], [inClass()], { pools: [{ ...BASE, paused: true }, CLASS] }, []],
    ["is of a function that is not known", [old({ functionUid: "b", boundTo: "b" })], [inClass()], {}, []],
  ])("%s", (_what, instances, functions, change, expected) => {
    expect(decided({ instances, functions, ...change })).toEqual(expected);
  });

  test("is given the function's timeout to finish", () => {
    const { actions } = decide(world({ pools: [BASE, CLASS], instances: [old({ inFlight: 1 })], functions: [inClass()] }));
    expect(actions[0]).toMatchObject({ kind: "remove", drainMs: TIMEOUT_MS });
  });
});

describe("an instance of a revision that is served from another pool now, because the classes have changed", () => {
  const moved = inClass({ revision: "r1" });
  const fresh = (change: Partial<InstanceView> = {}) => served({ revision: "r1", boundRevision: "r1", ...change });
  const free = instance("free", { pool: "node-1gi" });

  test.each<[string, InstanceView[], Partial<World>, string[]]>([
    ["is kept while nobody needs it and its idle timeout lasts", [old(), free], {}, []],
    ["is kept until another serves, which is loaded for what it runs", [old({ inFlight: 1 }), free], { demand: inFlight("a", 1) }, ["specialize"]],
    ["is kept while the other is loading", [old(), fresh({ state: "specializing" })], { demand: inFlight("a", 1) }, []],
    ["is kept while the others are too few", [old(), fresh()], { demand: inFlight("a", 2), functions: [{ ...moved, maxScale: 2 }] }, []],
    ["is kept while a silent router may be using it", [old({ unsure: true }), fresh()], {}, []],
    ["goes once enough others serve", [old({ inFlight: 1 }), fresh()], { demand: inFlight("a", 1) }, ["remove old: replaced"]],
    ["goes when it is idle for the idle timeout", [old({ lastUsedAt: NOW - 6000 }), free], {}, ["remove old: idle"]],
    ["stays beyond the idle timeout for an invocation that waits", [old({ lastUsedAt: NOW - 6000 }), free], { demand: waiting("a") }, ["specialize"]],
    ["is kept where its pool has none to give", [old({ inFlight: 1 })], { demand: inFlight("a", 1), functions: [{ ...moved, minScale: 1 }] }, []],
  ])("%s", (_what, instances, change, expected) => {
    expect(decided({ instances, functions: [moved], ...change })).toEqual(expected);
  });
});

describe("a function whose revisions have different pools", () => {
  const active = fn("a");
  const canary = inClass({ key: "a@r2", active: false });

  test("has instances of each in its own pool", () => {
    const demand = new Map([...waiting("a"), ...waiting("a@r2")]);
    const { actions } = decide(
      world({ pools: [BASE, CLASS], instances: [instance("i1"), instance("i2", { pool: "node-1gi" })], functions: [active, canary], demand }),
    );
    const orders = actions.flatMap((action) => (action.kind === "specialize" ? [`${action.instance.uid} ${action.revision}`] : []));
    expect(orders).toEqual(["i1 r1", "i2 r2"]);
  });

  test("keeps both, and reloads a retired revision in place only in the pool of the active one", () => {
    const retired = old({ revision: "r0", boundRevision: "r0" });
    expect(decided({ instances: [retired, served()], functions: [active, canary] })).toEqual(["specialize"]);
    expect(decided({ instances: [old(), served({ revision: "r0", boundRevision: "r0" })], functions: [active, canary] })).toEqual(["remove new: replaced"]);
  });
});
