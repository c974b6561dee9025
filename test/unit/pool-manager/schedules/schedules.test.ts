import { beforeEach, describe, expect, test } from "vitest";
import { leadOf, Schedules } from "../../../../pool-manager/schedules/schedules.ts";

const WORK = "Mon-Fri 08:00-19:00 Europe/Berlin=12";
const NIGHT = "Mon-Thu 22:00-06:00 Europe/Berlin=3";
const HOUR_MS = 3_600_000;

let now: number;
let schedules: Schedules;

function at(time: string): number {
  now = Date.parse(time);
  return now;
}

function instances(texts: readonly string[] = [WORK], owner = "pool node"): number {
  return schedules.activeOf(owner, "node", texts)?.instances ?? 0;
}

beforeEach(() => {
  at("2026-11-30T00:00Z");
  schedules = new Schedules(() => now);
  schedules.learnFrom(() => ({ refillMs: 0, refills: 1 }));
});

/** Sleeps from change to change, as the reconciler does, and notes each number with the time. */
function follow(texts: readonly string[], until: string): string[] {
  const changes: string[] = [];
  let last = -1;
  for (const end = Date.parse(until); now < end; now += schedules.dueInMs() ?? 7 * 24 * HOUR_MS) {
    const active = schedules.activeOf("pool node", "node", texts)?.instances ?? 0;
    if (active !== last) changes.push(`${new Date(now).toISOString().slice(5, 16)} ${active}`);
    last = active;
  }
  return changes;
}

test("a week: the next change is known each time, and nobody has to poll", () => {
  expect(follow([WORK, NIGHT], "2026-12-07T00:00Z")).toEqual([
    "11-30T00:00 0",
    ...["11-30", "12-01", "12-02", "12-03"].flatMap((day, i) => {
      const next = ["12-01", "12-02", "12-03", "12-04"][i];
      return [`${day}T07:00 12`, `${day}T18:00 0`, `${day}T21:00 3`, `${next}T05:00 0`];
    }),
    "12-04T07:00 12",
    "12-04T18:00 0",
  ]);
});

test("both changes of the clocks", () => {
  const daily = ["daily 08:00-19:00 Europe/Berlin=2"];
  at("2026-03-27T20:00Z");
  expect(follow(daily, "2026-03-30T00:00Z")).toEqual(["03-27T20:00 0", "03-28T07:00 2", "03-28T18:00 0", "03-29T06:00 2", "03-29T17:00 0"]);
  at("2026-10-23T20:00Z");
  expect(follow(daily, "2026-10-26T00:00Z")).toEqual(["10-23T20:00 0", "10-24T06:00 2", "10-24T17:00 0", "10-25T07:00 2", "10-25T18:00 0"]);
});

describe("of several, the one with the most instances is in force", () => {
  test.each([
    ["2026-11-30T10:00Z", "Mon 08:00-12:00 UTC=3", "Mon 09:00-11:00 UTC=5", 5, "until 11:00"],
    ["2026-11-30T11:00Z", "Mon 08:00-12:00 UTC=3", "Mon 09:00-11:00 UTC=5", 3, "until 12:00"],
    ["2026-11-30T10:00Z", "Mon 08:00-12:00 UTC=3", "Mon 09:00-11:00 UTC=3", 3, "until 12:00"],
    ["2026-11-30T10:00Z", "Mon 09:00-11:00 UTC=3", "Mon 08:00-12:00 UTC=3", 3, "until 12:00"],
    ["2026-11-30T10:00Z", "Mon 09:00-11:00 UTC=3", "daily 00:00-24:00 UTC=3", 3, "the schedule daily 00:00-24:00 UTC"],
  ])("%s: %s, %s", (time, one, other, count, text) => {
    at(time);
    const active = schedules.activeOf("pool node", "node", [one, other]);
    expect(active).toMatchObject({ instances: count, text: expect.stringContaining(text) });
  });
});

test("it is told in words", () => {
  at("2026-11-30T10:00Z");
  expect(schedules.activeOf("pool node", "node", [WORK])).toEqual({
    schedule: WORK,
    instances: 12,
    from: Date.parse("2026-11-30T07:00Z"),
    until: Date.parse("2026-11-30T18:00Z"),
    text: "the schedule Mon-Fri 08:00-19:00 Europe/Berlin until 19:00",
  });
});

test("the words change when the window begins, and when its end is less than a day away", () => {
  schedules.learnFrom(() => ({ refillMs: 1000, refills: 1 }));
  const told = (time: string) => {
    at(time);
    return schedules.activeOf("pool node", "node", ["Mon-Fri 00:00-24:00 UTC=2"])?.text.replace("the schedule Mon-Fri 00:00-24:00 UTC", "");
  };
  expect(["2026-12-06T23:59:58Z", "2026-12-07T00:00Z", "2026-12-10T23:00Z", "2026-12-11T00:00:01Z"].map(told)).toEqual([
    ", which begins at 00:00",
    " until Sat 00:00",
    " until Sat 00:00",
    " until 00:00",
  ]);
});

test("ten rounds of a thousand functions take little: windows, words and answers are kept", () => {
  at("2026-11-30T10:00Z");
  instances();
  const spent = process.cpuUsage();
  for (let i = 0; i < 10_000; i++) instances([WORK, NIGHT], `f${i % 1000}`);
  expect(process.cpuUsage(spent).user / 1000).toBeLessThan(1000);
});

test("a text that is no schedule has no effect on the others", () => {
  at("2026-11-30T10:00Z");
  expect(instances(["nonsense", WORK])).toBe(12);
});

describe("a process that begins", () => {
  test.each([
    ["in the middle of a window", "2026-11-30T12:00Z", 12, 6],
    ["before it", "2026-11-30T06:00Z", 0, 1],
    ["after it", "2026-11-30T20:00Z", 0, 11],
  ])("%s knows what is in force, and when it changes", (_title, time, count, hours) => {
    at(time);
    expect([instances(), schedules.dueInMs()]).toEqual([count, hours * HOUR_MS]);
  });
});

describe("a clock that jumps", () => {
  test.each([
    ["ahead, into a window", "2026-11-30T03:00Z", "2026-12-01T10:00Z", 12],
    ["ahead, over weeks", "2026-11-30T10:00Z", "2027-01-16T10:00Z", 0],
    ["back, out of a window", "2026-11-30T10:00Z", "2026-11-30T03:00Z", 0],
    ["back, into one of the past", "2026-12-06T10:00Z", "2026-12-04T10:00Z", 12],
    ["back, by a year", "2026-11-30T10:00Z", "2025-12-01T10:00Z", 12],
  ])("%s", (_title, before, after, count) => {
    at(before);
    instances();
    at(after);
    expect(instances()).toBe(count);
    const due = schedules.dueInMs() as number;
    now += due;
    expect(instances()).not.toBe(count);
  });
});

describe("instances are ordered ahead of a window", () => {
  beforeEach(() => schedules.learnFrom(() => ({ refillMs: 4000, refills: 2 })));

  test.each([
    [1, { refillMs: 4000, refills: 2 }, 6000],
    [12, { refillMs: 4000, refills: 2 }, 36_000],
    [12, { refillMs: 4000, refills: 0 }, 72_000],
    [5000, { refillMs: 4000, refills: 1 }, 600_000],
  ])("%i with %o: %i ms", (count, refills, ms) => {
    expect(leadOf(refills, count)).toBe(ms);
  });

  test("by as much as refills take, and the change is known", () => {
    at("2026-11-30T06:00Z");
    expect([instances(), schedules.dueInMs()]).toEqual([0, HOUR_MS - 36_000]);
    now += HOUR_MS - 36_000;
    expect(schedules.activeOf("pool node", "node", [WORK])?.text).toBe("the schedule Mon-Fri 08:00-19:00 Europe/Berlin, which begins at 08:00");
    expect(schedules.dueInMs()).toBe(36_000);
  });

  test("refills that turn out to be faster take nothing back", () => {
    at("2026-11-30T06:59:30Z");
    expect(instances()).toBe(12);
    schedules.learnFrom(() => ({ refillMs: 10, refills: 2 }));
    expect([instances(), instances([WORK], "another")]).toEqual([12, 0]);
    at("2026-11-30T07:00Z");
    expect([instances(), instances([WORK], "another")]).toEqual([12, 12]);
  });

  test("what was ordered ahead of one window is not ahead of the next", () => {
    at("2026-11-30T06:59:30Z");
    instances();
    at("2026-11-30T18:00Z");
    expect(instances()).toBe(0);
    at("2026-12-01T06:55Z");
    expect(instances()).toBe(0);
  });

  test("a clock that is set back by hours during that time ends it", () => {
    at("2026-11-30T06:59:30Z");
    expect(instances()).toBe(12);
    at("2026-11-30T04:00Z");
    expect(instances()).toBe(0);
  });
});
