import { describe, expect, test } from "vitest";
import type { Instance } from "../../../../../pool-manager/platform/platform.ts";
import { PLAUSIBLE_AFTER_MS } from "../../../../../pool-manager/pool/observe/plausibility.ts";
import { type Forge, Rest } from "../../../../helpers/builders/rest.ts";

const first = (count: number, real: ReadonlyMap<string, Instance>) => new Map([...real].slice(0, count));
const foreign = (count: number): Forge => {
  let copies: [string, Instance][] | null = null;
  return (real) => {
    const free = [...real.values()].find(({ echo }) => echo?.state === "prewarmed") as Instance;
    copies ??= Array.from({ length: count }, (_, i) => [`foreign-${i}`, { ...free, uid: `foreign-${i}` }]);
    return { instances: new Map([...real, ...copies]) };
  };
};

// I10
describe("a forged observation removes and changes nothing, and is reported once", () => {
  test.each<[string, Forge, RegExp]>([
    ["an empty one", () => ({ instances: new Map() }), /^24 instances vanished at once/],
    ["one of half of the instances", (real) => ({ instances: first(12, real) }), /^12 instances vanished at once/],
    ["one with instances that nobody asked for", foreign(12), /^12 instances appeared at once/],
    [
      "one that the controllers' count contradicts",
      (real) => ({ instances: real, counted: () => new Map([["node", 2]]) }),
      /^\d+ instances are listed, but their controllers count 2/,
    ],
  ])("%s", async (_what, forge, message) => {
    const rest = await Rest.reach();
    rest.forge = forge;
    await rest.pass(4000);
    // A deployment asks for in-place changes meanwhile, and idle or surplus instances for removals: all of it waits.
    await rest.deploy("two");
    await rest.pass(10_000);
    expect(rest.doubts()).toHaveLength(1);
    expect(rest.doubts()[0]).toMatch(message);
    expect(rest.harm).toEqual([]);
    expect(rest.reconciler.doubtOf("node")).toMatch(message);
  });

  test("an observation is believed again when it has been plausible for a while, and delayed removals then follow within the budget", async () => {
    const rest = await Rest.reach();
    rest.forge = () => ({ instances: new Map() });
    await rest.pass(2000);
    rest.forge = null;
    await rest.deploy("two");
    await rest.pass(PLAUSIBLE_AFTER_MS - 5000);
    expect(rest.harm).toEqual([]);
    await rest.pass(20_000);
    expect(rest.reconciler.doubtOf("node")).toBeNull();
    expect(rest.states()).toMatchObject({ warm: 20, prewarmed: 4 });
    const revisions = [...rest.platform.observe().instances.values()].flatMap(({ echo }) => (echo?.functionUid ? [echo.revision] : []));
    expect(new Set(revisions)).toEqual(new Set(["r2"]));
  });

  test("an incomplete one, whatever it contains", async () => {
    const rest = await Rest.reach();
    rest.forge = () => ({ instances: new Map(), synced: false });
    await rest.deploy("two");
    await rest.pass(10_000);
    expect([rest.harm, rest.doubts(), rest.states()]).toEqual([[], [], { warm: 20, prewarmed: 4 }]);
  });

  test("a few that vanish are instances that died: they are replaced at once", async () => {
    const rest = await Rest.reach();
    for (const uid of rest.platform.uids().slice(0, 4)) rest.platform.kill(uid);
    await rest.pass(8000);
    expect([rest.doubts(), rest.states()]).toEqual([[], { warm: 20, prewarmed: 4 }]);
  });
});
