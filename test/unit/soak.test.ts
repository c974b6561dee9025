import { describe, expect, test } from "vitest";
import { check } from "../soak/checker.ts";
import { ABSENT, type Balance, type HistoryRecord } from "../soak/history.ts";

const ROUTER = "http://127.0.0.1:1";
const OTHER = "http://127.0.0.1:2";
const REST: Balance = { size: 2, states: { prewarmed: 2 }, places: 2, images: [], ledMs: 3_600_000, strays: [] };

type Forged = { [T in HistoryRecord["type"]]: Omit<Extract<HistoryRecord, { type: T }>, "at"> }[HistoryRecord["type"]];

/** Seconds of the run, and what was written down then. */
type Line = [seconds: number, ...records: Forged[]];

const begun = (id = "i1", bytes = 0): Forged => ({ type: "begun", id, function: "f", router: ROUTER, bytes });
const ran = (tag: string, instance = "one", id = "i1"): Forged => ({ type: "run", id, function: "f", tag, instance });
const answered = (tag: string, revision: string | null = null, id = "i1"): Forged => ({ type: "ended", id, status: 200, code: null, tag, revision, text: "" });
const failed = (status: number, code: string): Forged => ({ type: "ended", id: "i1", status, code, tag: null, revision: null, text: "" });
const change = (...may: string[]): Forged => ({ type: "change", change: "c", function: "f", may });
const changed = (now: string[] | null, tookMs = 20): Forged => ({ type: "changed", change: "c", function: "f", now, tookMs });
const fault = (...ends: Extract<HistoryRecord, { type: "fault" }>["ends"]): Forged => ({
  type: "fault",
  fault: "x",
  what: "something is killed",
  ends,
  stalls: [],
});
const over: Forged = { type: "fault-over", fault: "x" };
const event = (what: object): Forged => ({ type: "event", manager: "m", event: { pool: "node", instance: "one", function: "f", ...what } as never });
const unlisted: Forged = { type: "unlisted", instance: "one", state: "warm", function: "f" };

/** What `check` says of this history, which begins with the function `f` as the tag `a` and ends at rest. */
function violations(lines: readonly Line[], balance: Partial<Balance> = {}): string[] {
  const all: Line[] = [[0, change("a")], [0.1, changed(["a"])], ...lines, [900, { type: "balance", balance: { ...REST, ...balance } }]];
  return check(all.flatMap(([seconds, ...records]) => records.map((record) => ({ ...record, at: seconds * 1000 }) as HistoryRecord))).violations;
}

/** Each of these is one violation of the rule. */
function breaks(rule: number, lines: readonly Line[], balance: Partial<Balance> = {}): void {
  expect(violations(lines, balance)).toEqual([expect.stringContaining(`rule ${rule}: `)]);
}

describe("invocations", () => {
  test("that were answered by what the function was are right", () => {
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

  test("that were answered and never ran, or ran and nobody has begun, are told", () => {
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

  test("may meet both revisions while one takes over from the other, and for ever where nobody knows whether it has", () => {
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

  test("may meet the old revision where the router was paused, or the answer not confirmed, for some seconds", () => {
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

  test("may find no function only where it was deleted", () => {
    const end: Line[] = [
      [2, begun()],
      [2.1, failed(404, "FUNCTION_NOT_FOUND")],
    ];
    expect(violations([[1, change(ABSENT)], [1.1, changed([ABSENT])], ...end])).toEqual([]);
    breaks(5, end);
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

test("changes fail only where something was done", () => {
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

  test("is looked at, or the run is not over", () => {
    expect(check([]).violations).toEqual([expect.stringContaining("rule 10")]);
  });

  test("has as many instances as the pool has room for, and nothing else", () => {
    breaks(10, [], { states: { prewarmed: 1 } });
    breaks(10, [], { states: { prewarmed: 2, warm: 1 } });
    breaks(10, [], { places: 3 });
    breaks(10, [], { strays: ["process 17"] });
  });

  test("has no image that nobody has had, and none that was given up long ago under the same leader", () => {
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
