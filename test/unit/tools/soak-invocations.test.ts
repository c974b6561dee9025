import { describe, expect, test } from "vitest";
import { breaks, change, changed, type Forged, fault, type Line, over, ROUTER, violations } from "../../helpers/builders/forged-history.ts";
import { ABSENT } from "../../soak/history.ts";

const OTHER = "http://127.0.0.1:2";

const begun = (id = "i1", bytes = 0): Forged => ({ type: "begun", id, function: "f", router: ROUTER, bytes });
const ran = (tag: string, instance = "one", id = "i1"): Forged => ({ type: "run", id, function: "f", tag, instance });
const answered = (tag: string, revision: string | null = null, id = "i1"): Forged => ({ type: "ended", id, status: 200, code: null, tag, revision, text: "" });
const failed = (status: number, code: string): Forged => ({ type: "ended", id: "i1", status, code, tag: null, revision: null, text: "" });

describe("invocations", () => {
  test("that were answered by a revision of the function are right", () => {
    expect(
      violations([
        [1, begun()],
        [1.1, ran("a")],
        [1.2, answered("a")],
      ]),
    ).toEqual([]);
  });

  test("that never ended are lost", () =>
    breaks(1, [
      [1, begun()],
      [1.1, ran("a")],
    ]));

  test("that ran twice are doubled, whatever they were answered", () => {
    breaks(2, [
      [1, begun()],
      [1.1, ran("a")],
      [1.2, ran("a", "two")],
      [1.3, answered("a")],
    ]);
    breaks(2, [
      [1, begun(), fault("instance:one")],
      [1.1, ran("a")],
      [1.2, over, ran("a", "two")],
      [1.3, failed(502, "INSTANCE_LOST")],
    ]);
  });

  test("that were answered and never ran, or ran and were never begun, are reported", () => {
    breaks(2, [
      [1, begun()],
      [1.2, answered("a")],
    ]);
    breaks(2, [[1, ran("a", "one", "unknown")]]);
  });

  test("that were answered by a revision of before or after are wrong", () => {
    breaks(3, [
      [1, change("b")],
      [1.1, changed(["b"])],
      [2, begun()],
      [2.1, ran("a")],
      [2.2, answered("a")],
    ]);
    breaks(3, [
      [1, begun()],
      [1.1, ran("b")],
      [1.2, answered("b")],
      [2, change("b")],
      [2.1, changed(["b"])],
    ]);
  });

  test("that ran another code than answered, or were answered by something else, are wrong", () => {
    breaks(3, [
      [1, change("b")],
      [1.1, begun(), ran("a")],
      [1.2, answered("b")],
      [1.3, changed(["b"])],
    ]);
    breaks(3, [
      [1, begun()],
      [1.1, ran("a")],
      [1.2, { ...answered("a"), tag: null } as Forged],
    ]);
  });

  test("may meet both revisions while one takes over from the other, and for ever if the outcome is unknown", () => {
    for (const now of [["a", "b"], null]) {
      const both: Line[] = [
        [1, change("b")],
        [1.1, changed(now)],
        [9, begun("i1"), begun("i2")],
        [9.1, ran("a"), ran("b", "two", "i2")],
      ];
      expect(violations([...both, [9.2, answered("a"), answered("b", null, "i2")]])).toEqual([]);
    }
  });

  test("may meet the old revision for some seconds if the router was paused or the answer was not confirmed", () => {
    const old: Line[] = [
      [4, begun()],
      [4.1, ran("a")],
      [4.2, answered("a")],
    ];
    expect(violations([[0.5, fault(`router:${ROUTER}`)], [1, change("b")], [1.1, changed(["b"])], [3, over], ...old])).toEqual([]);
    expect(violations([[1, change("b")], [1.1, changed(["b"], 1000)], ...old])).toEqual([]);
    breaks(3, [[0.5, fault(`router:${OTHER}`)], [1, change("b")], [1.1, changed(["b"])], [3, over], ...old]);
    breaks(3, [
      [1, change("b")],
      [1.1, changed(["b"], 1000)],
      [30, begun()],
      [30.1, ran("a")],
      [30.2, answered("a")],
    ]);
  });

  test("name the revision that ran", () => {
    const named: Line[] = [
      [0.2, { type: "revisions", function: "f", tags: { r1: "a", r2: "b" }, images: [] }],
      [1, begun()],
      [1.1, ran("a")],
    ];
    expect(violations([...named, [1.2, answered("a", "r1")]])).toEqual([]);
    breaks(4, [...named, [1.2, answered("a", "r2")]]);
  });

  test("may find no function only if it was deleted", () => {
    const end: Line[] = [
      [2, begun()],
      [2.1, failed(404, "FUNCTION_NOT_FOUND")],
    ];
    expect(violations([[1, change(ABSENT)], [1.1, changed([ABSENT])], ...end])).toEqual([]);
    breaks(5, end);
  });

  test("may find a router that does not know a function only if the function may not exist and the router was cut off", () => {
    const end: Line[] = [
      [2, begun()],
      [4, failed(503, "NOT_READY")],
    ];
    const deleted: Line[] = [
      [1, change(ABSENT)],
      [1.1, changed([ABSENT])],
    ];
    expect(violations([...deleted, [1.5, fault("manager")], ...end, [5, over]])).toEqual([]);
    breaks(5, [...deleted, ...end]);
    breaks(5, [[1.5, fault("manager")], ...end, [5, over]]);
  });

  test.each([
    [502, "INSTANCE_LOST", "instance:one", "instance:two"],
    [502, "FUNCTION_CRASHED", "instances", "manager"],
    [502, "ROUTER_LOST", `router:${OTHER}`, `router:${ROUTER}`],
    [0, "ECONNRESET", `router:${ROUTER}`, `router:${OTHER}`],
  ] as const)("may fail with %s %s where its cause was killed, and not where something else was", (status, code, cause, another) => {
    const history = (part: typeof cause | typeof another): Line[] => [
      [1, begun()],
      [1.1, ran("a")],
      [1.5, fault(part)],
      [1.6, failed(status, code)],
      [3, over],
    ];
    expect(violations(history(cause))).toEqual([]);
    breaks(5, history(another));
    breaks(5, [
      [1, fault(cause)],
      [2, over],
      [20, begun()],
      [20.1, ran("a")],
      [20.2, failed(status, code)],
    ]);
  });

  test.each([
    [504, "QUEUE_TIMEOUT"],
    [503, "POOL_BLOCKED"],
    [429, "QUEUE_FULL"],
    [503, "SHUTTING_DOWN"],
    [503, "NOT_READY"],
    [500, "FUNCTION_ERROR"],
  ])("may never fail with %s %s", (status, code) =>
    breaks(5, [
      [1, fault("manager", "instances", `router:${ROUTER}`), begun()],
      [1.1, failed(status, code)],
      [2, over],
    ]),
  );
});
