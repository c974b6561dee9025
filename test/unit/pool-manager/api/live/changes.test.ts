import { expect, test } from "vitest";
import { TrackedRows } from "../../../../../pool-manager/api/live/changes.ts";
import { RecentEvents } from "../../../../../pool-manager/api/live/recent-events.ts";
import { chosen, loadsOf } from "../../../../../pool-manager/api/live/rows.ts";
import type { FunctionRecord } from "../../../../../pool-manager/functions/function.ts";
import { instance } from "../../../../helpers/builders/world.ts";

test("only what differs from the last look is told", () => {
  const rows = new TrackedRows<{ id: string; value: number }>();
  expect(rows.update([{ id: "a", value: 1 }])).toEqual({ set: [{ id: "a", value: 1 }], gone: [] });
  expect(rows.update([{ id: "a", value: 1 }])).toBeNull();
  expect(rows.update([{ id: "b", value: 1 }])).toEqual({ set: [{ id: "b", value: 1 }], gone: ["a"] });
  expect(rows.rows).toEqual([{ id: "b", value: 1 }]);
});

test("events are numbered and bounded, and those of every start are left out", () => {
  const events = new RecentEvents();
  for (let i = 0; i < 350; i++) {
    events.add({ type: "instance.prewarmed", pool: "node", instance: "i", ms: 1, time: "" });
    events.add({ type: "router.heard", router: String(i), time: "" });
  }
  expect([events.seq, events.after(0).length, events.after(0)[0]?.seq, events.after(348).map(({ seq }) => seq)]).toEqual([350, 300, 51, [349, 350]]);
});

test("a function's load is that of all its revisions", () => {
  const instances = [
    instance("1", { state: "warm", functionUid: "f" }),
    instance("2", { state: "specializing", functionUid: "f" }),
    instance("3", { state: "warm", functionUid: "f", removing: true }),
    instance("4", { state: "prewarmed" }),
  ];
  const demand = new Map([
    ["f", { waiting: 1, inFlight: 2 }],
    ["f@r2", { waiting: 3, inFlight: 4 }],
    ["g", { waiting: 0, inFlight: 1 }],
  ]);
  expect([...loadsOf(instances, demand)]).toEqual([
    ["f", { warm: 1, starting: 1, waiting: 4, inFlight: 6 }],
    ["g", { warm: 0, starting: 0, waiting: 0, inFlight: 1 }],
  ]);
});

test("of more functions than are shown, those in use come first", () => {
  const records = ["a", "b", "c", "d"].map((uid) => ({ uid, name: uid }) as FunctionRecord);
  expect(chosen(records, (uid) => uid === "d", 2).map(({ uid }) => uid)).toEqual(["d", "a"]);
  expect(chosen(records, () => false, 4)).toBe(records);
});
