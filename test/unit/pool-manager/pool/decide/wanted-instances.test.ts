import { describe, expect, test } from "vitest";
import { decide } from "../../../../../pool-manager/pool/decide/decide.ts";
import { wantedInstances } from "../../../../../pool-manager/pool/decide/wanted-instances.ts";
import type { Action } from "../../../../../pool-manager/pool/decide/world.ts";
import { fn, instance, POOL, warm, world } from "../../../../helpers/builders/world.ts";

describe("a revision that takes over", () => {
  const of = (percent: number, parallel = 1) => [
    fn("a", { minScale: 1 }),
    fn("a", { key: "a@r2", active: false, revision: "r2", minScale: 1, takesOver: { percent, parallel, minScale: 0 } }),
  ];
  const orders = (actions: Action[]) => actions.flatMap((one) => (one.kind === "specialize" ? [`${one.instance.uid} ${one.revision} ${one.start}`] : []));
  const three = [warm("busy", "a", { inFlight: 1 }), warm("settled", "a", { specializedAt: 5 }), warm("fresh", "a", { specializedAt: 50 })];

  test("gets the least busy and longest settled instances in place, `parallel` at a time", () => {
    expect(orders(decide(world({ functions: of(10), instances: three })).actions)).toEqual(["settled r2 warm"]);
    expect(orders(decide(world({ functions: of(100, 2), instances: three })).actions)).toEqual(["settled r2 warm", "fresh r2 warm"]);
    const moving = instance("moving", { state: "specializing", functionUid: "a", revision: "r2", boundTo: "a", boundRevision: "r1", epoch: 1 });
    expect(orders(decide(world({ functions: of(100), instances: [...three, moving] })).actions)).toEqual([]);
  });

  test("takes an instance of the pool only if its function has none to give, and none while the pool is paused or its budget spent", () => {
    const free = instance("free");
    expect(orders(decide(world({ functions: of(10), instances: [warm("only", "a"), free] })).actions)).toEqual(["free r2 prewarmed"]);
    const starting = three.map((one) => ({ ...one, state: "specializing" as const }));
    expect(orders(decide(world({ functions: of(10), instances: [...starting, free] })).actions)).toEqual([]);
    const spent = new Map([["node", 3]]);
    expect(orders(decide(world({ functions: of(10), instances: [...three, free], disruptions: spent })).actions)).toEqual([]);
    expect(orders(decide(world({ functions: of(10), instances: [...three, free], pools: [{ ...POOL, paused: true }] })).actions)).toEqual([]);
  });
});

describe("wantedInstances", () => {
  test.each([
    ["nothing is asked for", 1, 0, 0, 0],
    ["one waits", 1, 1, 0, 1],
    ["four at concurrency 1", 1, 4, 0, 4],
    ["four at concurrency 2", 2, 4, 0, 2],
    ["101 at concurrency 100: the last waits for a slot", 100, 101, 0, 1],
    ["120 at concurrency 100", 100, 120, 0, 2],
    ["above maxScale", 1, 50, 0, 5],
  ])("%s", (_what, concurrency, asked, onTheirWay, wanted) => {
    expect(wantedInstances(fn("a", { concurrency }), { waiting: asked, inFlight: 0, oldestWaitMs: 10 }, onTheirWay)).toBe(wanted);
  });

  test("a last invocation that has waited long gets an instance of its own", () => {
    expect(wantedInstances(fn("a", { concurrency: 100 }), { waiting: 1, inFlight: 100, oldestWaitMs: 500 }, 0)).toBe(2);
  });

  test("minScale applies without demand", () => {
    expect(wantedInstances(fn("a", { minScale: 2 }), undefined, 0)).toBe(2);
  });
});
