import { describe, expect, test } from "vitest";
import type { Instance } from "../../../../../pool-manager/platform/platform.ts";
import { Incidents } from "../../../../../pool-manager/pool/act/incidents.ts";
import { blockedBy, problemsOf, strangersInWords, underResourcedInWords } from "../../../../../pool-manager/pool/publish/problems.ts";
import { instance, NOW, warm } from "../../../../helpers/builders/world.ts";

const SCALE = { action: "scale", pool: "node", functionUid: null } as const;
const QUOTA = "exceeded quota: q, limited: pods=2";

function incidents(...tries: [reason: string, message: string][]): Incidents {
  const all = new Incidents();
  for (const [reason, message] of tries) all.failed(SCALE, reason, message, NOW);
  return all;
}

describe("an action that fails", () => {
  test("is reported when it begins to fail, when its reason changes, and when it succeeds again", () => {
    const all = new Incidents();
    const told = [
      all.failed(SCALE, "REFUSED", QUOTA, 1),
      all.failed(SCALE, "REFUSED", QUOTA, 2),
      all.failed(SCALE, "UNREACHABLE", "no answer", 3),
      all.failed(SCALE, "UNREACHABLE", "no answer", 4),
    ];
    expect(told).toEqual([true, false, true, false]);
    expect(all.of("node")).toMatchObject([{ failures: 4, since: 1, reason: "UNREACHABLE" }]);
    expect(all.succeeded(SCALE)).toMatchObject({ failures: 4 });
    expect([all.succeeded(SCALE), all.of("node")]).toEqual([null, []]);
  });

  test("because of a race is reported only if it continues to fail", () => {
    const all = new Incidents();
    const told = Array.from({ length: 9 }, () => all.failed(SCALE, "CONFLICT", "it has changed", 1));
    expect(told.indexOf(true)).toBe(7);
    expect(told.filter(Boolean)).toHaveLength(1);
    const once = new Incidents();
    once.failed(SCALE, "CONFLICT", "it has changed", 1);
    expect([once.of("node"), once.succeeded(SCALE)]).toEqual([[], null]);
  });

  test("and is no longer tried, since its instance is gone, is forgotten", () => {
    const all = incidents(["UNREACHABLE", "no answer"]);
    all.expire(NOW + 60_000);
    expect(all.of("node")).toHaveLength(1);
    all.expire(NOW + 60_001);
    expect(all.of("node")).toEqual([]);
  });

  test("for a function that is deleted ends with it", () => {
    const all = new Incidents();
    all.failed({ ...SCALE, action: "bind", functionUid: "f" }, "REFUSED", "unsigned", 1);
    all.forget("f");
    expect(all.of("node")).toEqual([]);
  });
});

describe("a pool is blocked", () => {
  const refused = incidents(["REFUSED", QUOTA]).of("node");
  const ending = new Incidents();
  ending.failed({ ...SCALE, action: "start" }, "REFUSED", "OutOfcpu", NOW);
  const ended = ending.of("node");
  const pending = (ms: number) => instance("p", { state: "starting", obstacle: { kind: "pending", since: NOW - ms, message: "0/1 nodes" } });

  test.each([
    ["by nothing that is known", [], null, [], null],
    ["by what its platform says", [], QUOTA, [], QUOTA],
    ["by what it was refused the last time", [warm("w", "a")], null, refused, QUOTA],
    ["by what its instances wait for", [pending(10_000)], null, [], "0/1 nodes"],
    ["not while one has waited for a moment only", [pending(100)], null, [], null],
    ["not while one is free", [instance("i"), pending(10_000)], QUOTA, refused, null],
    ["not while one is starting", [instance("i", { state: "starting" })], QUOTA, refused, null],
    ["though one is starting, where the ones before it have ended before they ran", [instance("i", { state: "starting" })], null, ended, "OutOfcpu"],
    ["not while one is free, even there", [instance("i")], null, ended, null],
    ["though one is on its way out", [instance("i", { removing: true })], QUOTA, [], QUOTA],
  ])("%s", (_what, instances, refusal, failing, expected) => {
    expect(blockedBy(instances, refusal, failing, NOW)).toBe(expected);
  });
});

test("each of a pool's problems is reported once, as a sentence", () => {
  const obstructed = (uid: string) => ({ uid, pool: "node", obstacle: { kind: "stuck", since: 1, message: "it waits for the finalizers a/b" } }) as Instance;
  const observation = {
    synced: true,
    instances: new Map([obstructed("x"), obstructed("y")].map((one) => [one.uid, one])),
    refusals: () => new Map([["node", QUOTA]]),
  };
  expect(problemsOf("node", observation, incidents(["REFUSED", QUOTA]).of("node"), NOW)).toEqual([
    `no more instances are created: ${QUOTA}`,
    "2 instances are not deleted in time, such as x: it waits for the finalizers a/b",
  ]);
  expect(problemsOf("other", observation, [], NOW)).toEqual([]);
});

test("instances of undeclared functions are reported for as long as they are kept", () => {
  const of = (uid: string, functionUid: string) => ({ uid, pool: "node", echo: { functionUid }, binding: null }) as Instance;
  const bound = { uid: "z", pool: "node", echo: null, binding: { functionUid: "lost" } } as Instance;
  const all = [of("x", "known"), of("y", "lost"), bound, of("w", "over")];
  const unknown = new Map([
    ["lost", "unproven"],
    ["over", "deleted"],
  ]);
  expect(strangersInWords(all, unknown)).toEqual([
    "2 instances belong to a function that is not declared, such as y to lost: they are kept for a day, in case the declaration comes back",
  ]);
  expect(strangersInWords([of("x", "known")], unknown)).toEqual([]);
});

test.each([
  [[], []],
  [[null, null], []],
  [["Deferred: no room", null], ["1 instance does not have the resources of the function, such as i0: Deferred: no room"]],
  [["Infeasible: too large", "Deferred: no room"], ["2 instances do not have the resources of the function, such as i0: Infeasible: too large"]],
])("instances whose nodes have no room for what they need: %j", (reasons, expected) => {
  const instances = reasons.map((underResourced, i) => ({ uid: `i${i}`, underResourced }) as Instance);
  expect(underResourcedInWords(instances)).toEqual(expected);
});
