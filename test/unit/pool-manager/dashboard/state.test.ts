import { expect, test } from "vitest";
import type { InstanceRow } from "../../../../pool-manager/api/live/rows.ts";
import { apply, countLooks, EMPTY, instancesOf, lookOf, type Message } from "../../../../pool-manager/dashboard/data/state.ts";

const status = { version: "1", platform: "local", router: true, ready: true, functions: 0 };
const row = (id: string, change: Partial<InstanceRow> = {}): InstanceRow => ({
  id,
  pool: "node",
  state: "prewarmed",
  function: null,
  revision: null,
  binding: false,
  epoch: 0,
  node: null,
  address: null,
  inFlight: 0,
  obstacle: null,
  reason: null,
  createdMs: 0,
  ...change,
});
const event = (seq: number) => ({ seq, type: "router.heard", router: "r", time: "2026-01-01T00:00:00Z" }) as const;
const snapshot = (instances: InstanceRow[]): Message => ({
  type: "snapshot",
  now: 5,
  status,
  pools: [],
  functions: [],
  instances,
  events: [event(1), event(2)],
});

test("a snapshot replaces everything, such as what was missed while the connection was lost", () => {
  const before = apply(EMPTY, snapshot([row("a"), row("b")]), 10);
  const lost = { ...before, connection: { is: "lost", reason: "" } as const };
  const after = apply(lost, snapshot([row("c")]), 20);
  expect([...after.instances.keys()]).toEqual(["c"]);
  expect([after.connection.is, after.clock]).toEqual(["live", { now: 5, at: 20 }]);
  expect(after.events.map(({ seq }) => seq)).toEqual([2, 1]);
});

test("changes leave other rows as the same objects, so that they are not drawn again", () => {
  const before = apply(EMPTY, snapshot([row("a"), row("b"), row("c")]), 10);
  const changes: Message = { type: "changes", now: 6, status, instances: { set: [row("a", { state: "warm" }), row("d")], gone: ["b"] }, events: [event(3)] };
  const after = apply(before, changes, 11);
  expect([...after.instances.keys()]).toEqual(["a", "c", "d"]);
  expect(after.instances.get("c")).toBe(before.instances.get("c"));
  expect(after.functions).toBe(before.functions);
  expect(after.events.map(({ seq }) => seq)).toEqual([3, 2, 1]);
  expect(before.instances.get("a")?.state).toBe("prewarmed");
});

test("an event that a snapshot had already is told once", () => {
  const before = apply(EMPTY, snapshot([]), 10);
  const after = apply(before, { type: "changes", now: 6, status, events: [event(2), event(3)] }, 11);
  expect(after.events.map(({ seq }) => seq)).toEqual([3, 2, 1]);
});

test("events are bounded", () => {
  let state = EMPTY;
  for (let seq = 1; seq <= 700; seq++) state = apply(state, { type: "changes", now: 1, status, events: [event(seq)] }, 1);
  expect([state.events.length, state.events[0]?.seq]).toEqual([500, 700]);
});

test.each([
  [{ state: "failed", obstacle: "ended", binding: true }, "failed"],
  [{ state: "warm", obstacle: "unreachable", inFlight: 3 }, "obstructed"],
  [{ state: "starting", obstacle: "pending" }, "starting"],
  [{ state: "starting", obstacle: "blocked" }, "obstructed"],
  [{ state: "draining", inFlight: 1 }, "draining"],
  [{ state: "warm", binding: true }, "swapping"],
  [{ state: "warm", inFlight: 1 }, "busy"],
  [{ state: "warm" }, "warm"],
  [{ state: "specializing" }, "specializing"],
  [{ state: "something of a later version" }, "starting"],
])("%j is drawn as %s", (change, look) => {
  expect(lookOf(row("a", change))).toBe(look);
});

test("an instance keeps its place while others come and go", () => {
  const rows = new Map([row("z", { createdMs: 1 }), row("a", { createdMs: 2 }), row("o", { pool: "python" })].map((one) => [one.id, one]));
  expect(instancesOf(rows, "node").map(({ id }) => id)).toEqual(["z", "a"]);
  expect([...countLooks([...rows.values()])]).toEqual([["prewarmed", 3]]);
});
