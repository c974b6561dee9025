import { describe, expect, test } from "vitest";
import { breaks, change, changed, type Forged, fault, type Line, over, violations } from "../../helpers/builders/forged-history.ts";
import { check } from "../../soak/checks/checker.ts";

const event = (what: object): Forged => ({ type: "event", manager: "m", event: { pool: "node", instance: "one", function: "f", ...what } as never });
const unlisted: Forged = { type: "unlisted", instance: "one", state: "warm", function: "f" };

describe("instances", () => {
  const removing = (reason: string) => event({ type: "instance.removing", reason });

  test("leave with a reason, or by a fault", () => {
    expect(
      violations([
        [1, removing("idle")],
        [2, unlisted],
      ]),
    ).toEqual([]);
    expect(
      violations([
        [1, fault("instance:one")],
        [2, unlisted, over],
      ]),
    ).toEqual([]);
    breaks(6, [[2, unlisted]]);
    breaks(6, [
      [1, fault("instance:two")],
      [2, unlisted, over],
    ]);
  });

  test("are in trouble only after something was done, or code that does not load", () => {
    expect(
      violations([
        [1, fault("cluster")],
        [2, over],
        [3, removing("suspect")],
      ]),
    ).toEqual([]);
    breaks(7, [[3, removing("suspect")]]);
    breaks(7, [
      [1, fault("cluster")],
      [2, over],
      [200, removing("suspect")],
    ]);
    for (const what of [removing("failed"), event({ type: "instance.crashed", message: "gone" })]) {
      expect(
        violations([
          [1, fault("instance:one")],
          [2, over],
          [3, what],
        ]),
      ).toEqual([]);
      breaks(7, [
        [1, fault("cluster", "instance:two")],
        [2, over],
        [3, what],
      ]);
      breaks(7, [
        [1, fault("instance:one")],
        [2, over],
        [200, what],
      ]);
      // Its fate is noticed when the cluster is back.
      const away: Line[] = [
        [1, fault("instance:one")],
        [2, over],
        [4, { type: "fault", fault: "y", what: "the API server is paused", ends: [], stalls: ["cluster"] }],
        [40, { type: "fault-over", fault: "y" }],
      ];
      expect(violations([...away, [45, what]])).toEqual([]);
      breaks(7, [...away, [70, what]]);
    }
    expect(
      violations([
        [1, event({ type: "instance.load-failed" })],
        [2, removing("failed")],
      ]),
    ).toEqual([]);
    breaks(7, [[1, removing("deleted-function")]]);
  });

  test("serve one function", () => {
    const given = (name: string) => event({ type: "instance.specialized", function: name, revision: "r1", start: "prewarmed", ms: 1 });
    expect(
      violations([
        [1, given("f")],
        [2, given("f")],
      ]),
    ).toEqual([]);
    breaks(8, [
      [1, given("f")],
      [2, given("g")],
    ]);
  });
});

test("changes fail only if something was done", () => {
  const refused: Forged = { type: "changed", change: "c", function: "f", now: null, tookMs: 100, error: "STORE_FAILED" };
  expect(
    violations([
      [1, change("b"), fault("cluster")],
      [2, refused, over],
    ]),
  ).toEqual([]);
  breaks(9, [
    [1, change("b")],
    [2, refused],
  ]);
});

describe("the end", () => {
  const revisions = (images: string[]): Forged => ({ type: "revisions", function: "f", tags: {}, images });

  test("is checked, or the run is not over", () => {
    expect(check([]).violations).toEqual([expect.stringContaining("rule 10")]);
  });

  test("has as many instances as the pool has room for, and nothing else", () => {
    breaks(10, [], { states: { prewarmed: 1 } });
    breaks(10, [], { states: { prewarmed: 2, warm: 1 } });
    breaks(10, [], { places: 3 });
    breaks(10, [], { strays: ["process 17"] });
  });

  test("has no image that never belonged to a function, and none that was given up long ago under the same leader", () => {
    expect(violations([[1, revisions(["x"])]], { images: ["x"] })).toEqual([]);
    expect(
      violations([
        [1, revisions(["x"])],
        [2, revisions([])],
      ]),
    ).toEqual([]);
    breaks(11, [], { images: ["x"] });
    const kept: Line[] = [
      [-1, revisions(["x"])],
      [-0.5, revisions([])],
    ];
    breaks(11, kept, { images: ["x"] });
    expect(violations(kept, { images: ["x"], ledMs: 60_000 })).toEqual([]);
    expect(
      violations(
        [
          [1, change("b")],
          [2, changed(null)],
        ],
        { images: ["x"] },
      ),
    ).toEqual([]);
  });

  test("has the memory of the beginning, about", () => {
    const looks = (late: number): Line[] =>
      Array.from({ length: 20 }, (_, n) => [n, { type: "memory", of: "manager", pid: 1, mb: n < 10 ? 80 : late, ageMs: 25_000 + n }]);
    expect(violations(looks(120))).toEqual([]);
    breaks(12, looks(160));
  });
});
