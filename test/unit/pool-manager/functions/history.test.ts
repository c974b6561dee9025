import { describe, expect, test } from "vitest";
import { type FunctionRecord, MAX_REVISIONS, type Revision } from "../../../../pool-manager/functions/function.ts";
import { activated, formerHistory, rollbackTarget, wentBack } from "../../../../pool-manager/functions/history.ts";
import { retained } from "../../../../pool-manager/functions/revisions.ts";
import { record } from "../../../helpers/builders/record.ts";

describe("a rollback goes", () => {
  const revision = (id: string, activatedAt?: string | null) => ({ id, createdAt: "1", activatedAt }) as Revision;
  const revisions = ["r1", "r2", "r3", "r4"].map((id) => revision(id, "1"));
  const deploy = (now: FunctionRecord, id: string) => activated({ ...now, active: id }, now.active, "2");
  const rollback = (now: FunctionRecord, to = rollbackTarget(now)?.id) =>
    to === undefined ? now : activated({ ...now, active: to, history: wentBack(now.history, to) }, now.active, "3");
  /** Ids are deployed, `<` goes back, `<r1` to that one; what was active after each. */
  const active = (...steps: string[]) => {
    let now = record({ active: "", revisions });
    return steps.map((step) => {
      now = step.startsWith("<") ? rollback(now, step.slice(1) || undefined) : deploy(now, step);
      return now.active;
    });
  };

  test.each([
    ["to what was active before", ["r1", "r2", "<"], ["r1", "r2", "r1"]],
    ["to what was active before old content was deployed again", ["r1", "r2", "r1", "<"], ["r1", "r2", "r1", "r2"]],
    ["past nothing, though a third revision lies between", ["r1", "r2", "r3", "r1", "<"], ["r1", "r2", "r3", "r1", "r3"]],
    ["further back each time, and not forth again", ["r1", "r2", "r1", "r3", "<", "<", "<", "<"], ["r1", "r2", "r1", "r3", "r1", "r2", "r1", "r1"]],
    ["further back from a named revision", ["r1", "r2", "r3", "<r2", "<", "<"], ["r1", "r2", "r3", "r2", "r1", "r1"]],
    ["back from a named revision that had never been active", ["r1", "r2", "<r4", "<"], ["r1", "r2", "r4", "r2"]],
    ["past what was gone back from", ["r1", "r2", "r3", "<", "r4", "<"], ["r1", "r2", "r3", "r2", "r4", "r2"]],
  ])("%s", (_what, steps, expected) => {
    expect(active(...steps)).toEqual(expected);
  });

  test("past a revision that is no longer kept", () => {
    expect(rollbackTarget(record({ active: "r3", history: ["r1", "r9", "r3"], revisions }))?.id).toBe("r1");
    expect(rollbackTarget(record({ active: "r1", history: ["r1"], revisions }))).toBeUndefined();
  });

  test("by the records of an older Berth: when each revision was active last, or nothing", () => {
    const target = (now: string, ...before: Revision[]) => {
      const old = { active: now, revisions: before };
      return rollbackTarget({ ...old, history: formerHistory(old) })?.id;
    };
    expect(target("r3", revision("r1", "2"), revision("r2", "3"), revision("r3", "4"))).toBe("r2");
    expect(target("r2", revision("r1", "2"), revision("r2", "5"), revision("r3", "4"))).toBe("r1");
    expect(target("r1", revision("r1", "2"), revision("r2", "1"))).toBeUndefined();
    expect(target("r4", revision("r1", "3"), revision("r2", "2"), revision("r3", null), revision("r4", "4"))).toBe("r1");
    expect(target("r3", revision("r1"), revision("r2"), revision("r3"))).toBe("r2");
  });

  test("to a kept revision, however many follow that were never active", () => {
    const never = Array.from({ length: MAX_REVISIONS + 3 }, (_, n) => revision(`r${n + 3}`, null));
    const last = `r${MAX_REVISIONS + 6}`;
    const kept = retained(
      record({
        active: last,
        latest: last,
        traffic: { split: {}, aliases: {} },
        history: ["r1", "r2", last],
        revisions: [revision("r1", "2"), revision("r2", "3"), ...never, revision(last, "4")],
      }),
    );
    expect(kept).toHaveLength(MAX_REVISIONS + 1);
    expect(kept[0]?.id).toBe("r2");
  });

  test("as far as a bounded history goes", () => {
    let now = record({ active: "", revisions });
    for (let n = 0; n < 500; n++) now = deploy(now, n % 2 ? "r2" : "r1");
    expect([now.history.length, rollbackTarget(now)?.id]).toEqual([50, "r1"]);
  });
});
