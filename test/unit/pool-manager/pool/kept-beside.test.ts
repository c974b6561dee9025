import { expect, test } from "vitest";
import { decide } from "../../../../pool-manager/pool/decide/decide.ts";
import { fn, instance, kinds, NOW, waiting, warm, world } from "../../../helpers/builders/world.ts";

const kept = fn("a", { key: "a@r3", active: false, revision: "r3", minScale: 1 });
const idle = { revision: "r3", boundRevision: "r3", lastUsedAt: NOW - 60_000 };

test("a kept instance of a revision beside the active one is started without an invocation, and outlasts the idle timeout", () => {
  const free = [instance("i1"), instance("i2")];
  const { actions } = decide(world({ functions: [fn("a"), kept], instances: free }));
  expect(actions).toMatchObject([{ kind: "specialize", revision: "r3" }]);
  expect(kinds(decide(world({ functions: [fn("a"), kept], instances: [...free, warm("k", "a", idle)] })).actions)).toEqual([]);
  expect(kinds(decide(world({ functions: [fn("a"), { ...kept, minScale: 0 }], instances: [...free, warm("k", "a", idle)] })).actions)).toEqual([
    "remove k: idle",
  ]);
});

test("it makes no room for other functions at max, and what is above the kept number does", () => {
  const full = [warm("k1", "a", idle), ...Array.from({ length: 5 }, (_, i) => warm(`i${i}`, "b", { inFlight: 1 }))];
  const functions = [fn("a"), kept, fn("b"), fn("new")];
  expect(kinds(decide(world({ functions, demand: waiting("new"), instances: full })).actions)).toEqual([]);
  const above = [...full.slice(0, 5), warm("k2", "a", { ...idle, lastUsedAt: NOW - 1000 })];
  expect(kinds(decide(world({ functions, demand: waiting("new"), instances: above })).actions)).toEqual(["remove k1: reaped"]);
});

test("a rollout whose two revisions have all of maxScale takes no instance from a third one", () => {
  const scale = { maxScale: 2 };
  const next = fn("a", { ...scale, key: "a@r2", active: false, revision: "r2", takesOver: { percent: 50, parallel: 1, minScale: 2 }, minScale: 1 });
  const own = [warm("i1", "a"), warm("i2", "a", { revision: "r2", boundRevision: "r2" }), instance("f1"), instance("f2")];
  const of = (third: Partial<typeof kept>, demand = new Map()) =>
    decide(world({ functions: [fn("a", { ...scale, minScale: 1 }), next, { ...kept, ...scale, ...third }], instances: own, demand })).actions;
  expect(of({})).toMatchObject([{ kind: "specialize", revision: "r3" }]);
  expect(of({ minScale: 0 }, waiting("a@r3"))).toMatchObject([{ kind: "specialize", revision: "r3" }]);
  expect(of({ minScale: 0 }, waiting("a", 3))).toEqual([]);
});
