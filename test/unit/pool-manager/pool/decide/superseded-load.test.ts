import { describe, expect, test } from "vitest";
import { decide } from "../../../../../pool-manager/pool/decide/decide.ts";
import type { InstanceView, RevisionTarget, World } from "../../../../../pool-manager/pool/decide/world.ts";
import { fn, instance, NOW, POOL, warm, world } from "../../../../helpers/builders/world.ts";

const active = fn("a", { revision: "r3" });
const loading = (uid: string, revision: string, change: Partial<InstanceView> = {}) => warm(uid, "a", { state: "specializing", revision, ...change });
const serving = (uid: string) => warm(uid, "a", { revision: "r3", boundRevision: "r3" });

/** The load orders of a decision, as `instance revision`. */
function orders(change: Partial<World>): string[] {
  const { actions } = decide(world(change));
  return actions.flatMap((action) => (action.kind === "specialize" ? [`${action.instance.uid} ${action.revision}`] : []));
}

describe("an instance that is still loading", () => {
  test.each<[string, InstanceView, RevisionTarget, Partial<typeof POOL>, string[]]>([
    ["a retired revision loads the active one at once", loading("i", "r2"), active, {}, ["i r3"]],
    ["the active revision is left alone", loading("i", "r3"), active, {}, []],
    ["a retired revision, by an order that its echo does not show yet, is asked once that is known", loading("i", "r2", { ordering: true }), active, {}, []],
    ["a retired revision is left alone while the pool is paused", loading("i", "r2"), active, { paused: true }, []],
    ["a retired revision waits for the budget", loading("i", "r2"), active, { budget: { actions: 0, windowMs: 1000 } }, []],
    ["a retired revision waits while the active one fails to load", loading("i", "r2"), { ...active, blockedUntil: NOW + 1 }, {}, []],
    ["a retired revision of an image gets no order: its program would have to end first", loading("i", "r2"), { ...active, byImage: true }, {}, []],
  ])("%s", (_what, one, spec, pool, expected) => {
    expect(orders({ functions: [spec], instances: [one], pools: [{ ...POOL, ...pool }] })).toEqual(expected);
  });

  const next = fn("a", { key: "a@r4", revision: "r4", active: false, minScale: 1, isAwaited: true, takesOver: { percent: 0, parallel: 1, minScale: 1 } });

  test.each<[string, InstanceView[], string[]]>([
    ["gets a rollout's new revision before an instance that serves does", [serving("s"), loading("i", "r2")], ["i r4"]],
    ["gets the active revision once the new one has its share", [serving("s"), loading("n", "r4"), loading("i", "r2")], ["i r3"]],
    ["gets the active revision if there is no other instance, and the new one gets a free instance", [loading("i", "r2"), instance("f")], ["f r4", "i r3"]],
  ])("a superseded revision %s", (_what, instances, expected) => {
    expect(orders({ functions: [active, next], instances }).sort()).toEqual(expected);
  });
});
