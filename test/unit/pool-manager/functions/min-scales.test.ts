import { describe, expect, test } from "vitest";
import { rolledBack, settled, withTraffic } from "../../../../pool-manager/functions/changes.ts";
import type { FunctionRecord, Revision, Traffic } from "../../../../pool-manager/functions/function.ts";
import { declared, deployed } from "../../../../pool-manager/functions/revisions.ts";
import { advance, end, paceOf, type Rolling } from "../../../../pool-manager/functions/rollout.ts";
import { allKeptBeside, keptBeside, parseTraffic, type TrafficChange } from "../../../../pool-manager/functions/traffic.ts";
import { record } from "../../../helpers/builders/record.ts";

const revisions = ["r1", "r2", "r3"].map((id) => ({ id, createdAt: "1", activatedAt: "1" }) as Revision);
/** r1 is active, r2 has a share, and r3 an alias. */
const TRAFFIC: Traffic = { split: { r2: 10 }, aliases: { next: "r3" } };
const served = (minScales?: Record<string, number>, change: Partial<FunctionRecord> = {}) =>
  record({ revisions, rolloutPolicy: null, traffic: { ...TRAFFIC, ...(minScales && { minScales }) }, history: ["r2", "r1"], ...change });
const faultOf = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    const { code, field, message } = error as { code: string; field?: string; message: string };
    return [code, field, message].join(" | ");
  }
  return "accepted";
};

describe("a change of traffic", () => {
  const both = { r2: 1, r3: 2 };
  test.each<[string, TrafficChange, Record<string, number> | undefined]>([
    ["keeps instances of revisions with a share or an alias", { minScales: { r2: 3 } }, { r2: 3 }],
    ["that says nothing of them keeps them", { aliases: { next: "r3", late: "r3" } }, both],
    ["that gives a revision no invocations keeps its instances", { split: { r2: 0 } }, both],
    ["with 0 keeps none", { minScales: { r2: 0, r3: 2 } }, { r3: 2 }],
    ["without any keeps none", { minScales: {} }, undefined],
    ["that ends a share ends what is kept for it", { split: {} }, { r3: 2 }],
    ["that moves an alias ends what is kept of its former revision", { aliases: { next: "r2" } }, { r2: 1 }],
    ["that makes the revision of a share active ends all shares", { active: "r2" }, { r3: 2 }],
    ["may name share and number at once", { split: { r3: 5 }, aliases: {}, minScales: { r3: 4 } }, { r3: 4 }],
  ])("%s", (_what, change, kept) => {
    const { traffic } = settled(withTraffic(served(both), change));
    expect(traffic.minScales).toEqual(kept);
    expect("minScales" in traffic).toBe(kept !== undefined);
  });

  test.each<[string, TrafficChange, string]>([
    ["of an unknown revision", { minScales: { r9: 1 } }, 'REVISION_NOT_FOUND | revision | f has no revision "r9"'],
    ["of the active revision", { minScales: { r1: 1 } }, "TRAFFIC_INVALID | minScales.r1 | minScales.r1: r1 has neither a share nor an alias; of the active"],
    ["of a revision whose share ends", { split: {}, minScales: { r2: 1 } }, "TRAFFIC_INVALID | minScales.r2 | minScales.r2: r2 has neither"],
    ["of more than maxScale", { minScales: { r3: 21 } }, "TRAFFIC_INVALID | minScales.r3 | minScales.r3: 21 is above maxScale 20"],
  ])("is refused for instances %s", (_what, change, message) => {
    expect(faultOf(() => settled(withTraffic(served(), change)))).toContain(message);
  });

  test("is refused for more than 1000 instances together, and maxScale for less than what is kept", () => {
    const large = (r2: number) => served({ r2, r3: 500 }, { scaling: { ...record().scaling, maxScale: 1000 } });
    expect(faultOf(() => settled(large(500)))).toBe("accepted");
    expect(faultOf(() => settled(large(501)))).toBe("TRAFFIC_INVALID | minScales | minScales: 1001 instances would be kept, more than 1000");
    expect(faultOf(() => settled(served({ r2: 3 }, { scaling: { ...record().scaling, maxScale: 2 } })))).toContain("3 is above maxScale 2");
  });

  test.each<[unknown, string]>([
    [{ r3: -1 }, "TRAFFIC_INVALID | minScales.r3 | minScales.r3: must be an integer from 0 to 1000, and is the number -1"],
    [{ r3: "2" }, 'minScales.r3: must be an integer from 0 to 1000, and is the string "2"'],
    [{ next: 2 }, 'minScales.next: "next" is not a revision such as r3'],
    [2, "TRAFFIC_INVALID | minScales | minScales: must be an object, and is the number 2"],
  ])("%j is refused", (minScales, message) => {
    expect(faultOf(() => parseTraffic({ minScales }))).toContain(message);
  });
});

describe("what is kept", () => {
  test("is nothing in a record without the field, and nothing of the active revision", () => {
    expect(["r1", "r2", "r3"].map((id) => keptBeside(served(), id))).toEqual([0, 0, 0]);
    const aliased = served({ r2: 1, r3: 2 }, { active: "r3" });
    expect(["r1", "r2", "r3"].map((id) => keptBeside(aliased, id))).toEqual([0, 1, 0]);
    expect(allKeptBeside(aliased)).toBe(1);
  });

  test("of a revision that is active for a while counts again afterwards, if it has an alias", () => {
    const promoted = settled(withTraffic(served({ r2: 1, r3: 2 }), { active: "r3" }));
    expect([promoted.traffic.minScales, allKeptBeside(promoted)]).toEqual([{ r3: 2 }, 0]);
    expect(allKeptBeside(settled(rolledBack({ ...promoted, history: ["r1", "r3"] })))).toBe(2);
  });

  test("of a share ends with a rollback and with a deployment, whether it takes over or becomes another share", () => {
    const kept = served({ r2: 1, r3: 2 });
    const ends = [rolledBack(kept), { ...kept, ...deployed(kept, "r4") }, { ...kept, ...deployed(kept, "r4", { canary: 5 }) }];
    for (const after of ends) expect(settled(after).traffic.minScales).toEqual({ r3: 2 });
  });

  test("of a revision that takes over is its part of the function's minScale; the others keep theirs", () => {
    const stepwise = served({ r2: 1, r3: 2 }, { rolloutPolicy: record().rolloutPolicy });
    const rolling = settled({ ...stepwise, ...deployed(stepwise, "r2") });
    expect(["r1", "r2", "r3"].map((id) => keptBeside(rolling, id))).toEqual([0, 0, 2]);
    expect(faultOf(() => withTraffic(rolling, { minScales: { r2: 5, r3: 2 } }))).toContain("ROLLOUT_RUNNING");
    expect(faultOf(() => withTraffic(rolling, { minScales: { r2: 1, r3: 3 } }))).toBe("accepted");
    expect(settled({ ...rolling, ...end(rolling, rolling.rollout as Rolling, "undone", "") }).traffic.minScales).toEqual({ r3: 2 });
  });

  test("of a canary that is promoted once it is loaded stays if it does not load, and ends if it does", () => {
    const canary = served({ r2: 1 });
    const waits = settled({ ...canary, ...deployed(canary, "r2", { onceLoaded: true }) });
    const seen = { total: 1, ready: 0, failure: null, ended: 0, failed: 0, heldMs: 0 };
    const next = (change: object) => settled({ ...waits, ...advance(waits, paceOf(waits) as NonNullable<ReturnType<typeof paceOf>>, { ...seen, ...change }) });
    expect(keptBeside(waits, "r2")).toBe(0);
    expect(keptBeside(next({ failure: "SyntaxError" }), "r2")).toBe(1);
    expect(next({ ready: 1 })).toMatchObject({ active: "r2", traffic: { split: {}, aliases: { next: "r3" } } });
    expect(next({ ready: 1 }).traffic).not.toHaveProperty("minScales");
  });
});

describe("a declaration", () => {
  const apply = (traffic: Traffic, of = served({ r2: 1, r3: 2 }), active: string | null = null) =>
    settled({ ...of, ...declared(of, "r1", { active, traffic }) }).traffic;
  test("says what is kept, and nothing is kept that it does not name", () => {
    expect(apply({ ...TRAFFIC, minScales: { r2: 4 } })).toEqual({ ...TRAFFIC, minScales: { r2: 4 } });
    expect(apply(TRAFFIC)).toEqual(TRAFFIC);
    expect(apply({ split: {}, aliases: { next: "r3" } })).not.toHaveProperty("minScales");
  });

  test("is refused if it keeps instances of a revision without a share or an alias", () => {
    expect(faultOf(() => apply({ split: {}, aliases: {}, minScales: { r3: 1 } }))).toContain("TRAFFIC_INVALID | minScales.r3");
  });

  test("leaves the shares of a rollout alone, and what is kept for them", () => {
    const stopped = { from: "r1", to: "r1", step: 0, watching: false, state: "stopped", reason: "", startedAt: "" } as const;
    const after = served({ r2: 1, r3: 2 }, { rollout: stopped, latest: "r1" });
    expect(apply({ split: {}, aliases: { next: "r3" } }, after)).toEqual({ ...TRAFFIC, minScales: { r2: 1 } });
  });
});
