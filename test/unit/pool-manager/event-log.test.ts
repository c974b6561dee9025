import { expect, test } from "vitest";
import { EventLog } from "../../../pool-manager/event-log.ts";
import type { PoolEvent } from "../../../pool-manager/pool/events.ts";

function opened() {
  const counted: PoolEvent[] = [];
  const reported: PoolEvent[] = [];
  const lines: string[] = [];
  const log = { debug: () => lines.push("debug"), info: () => lines.push("info"), warn: () => lines.push("warn") };
  const events = new EventLog({ count: (event) => counted.push(event), log: log as never });
  const open = () => events.open({ nameOf: (uid) => (uid === "u1" ? "greet" : undefined), report: (event) => reported.push(event) });
  return { events, open, counted, reported, lines };
}

const changed = (uid: string): PoolEvent => ({ type: "function.changed", function: uid, revision: "r1" });

test("events before the stores are open are dropped; those after it are counted, reported, logged and told to followers by the function's name", () => {
  const { events, open, counted, reported, lines } = opened();
  events.emit(changed("u1"));
  expect([counted, reported, lines]).toEqual([[], [], []]);
  open();
  const followed: PoolEvent[] = [];
  const end = events.follow((event) => followed.push(event));
  events.emit(changed("u1"));
  events.emit(changed("gone"));
  end();
  events.notice({ topic: "missing", kind: "Function", count: 1, message: "m" });
  const named = [changed("greet"), changed("gone")];
  expect(followed).toMatchObject(named);
  const all = [...named, { type: "store.notice", topic: "missing", kind: "Function", count: 1, message: "m" }];
  expect([counted, reported, lines]).toEqual([all, all, ["debug", "debug", "debug"]]);
});

test("a further failure of an action is only counted", () => {
  const { events, open, counted, reported } = opened();
  open();
  events.emit({ type: "action.failed", action: "scale", pool: "node", function: null, reason: "REFUSED", message: "no", again: true });
  expect([counted.length, reported.length]).toEqual([1, 0]);
});
