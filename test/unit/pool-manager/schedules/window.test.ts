import { describe, expect, test } from "vitest";
import { parseSchedule, type Schedule } from "../../../../pool-manager/schedules/schedule.ts";
import { localTime, windowAfter } from "../../../../pool-manager/schedules/window.ts";

/** The present or next window of a schedule, as ISO times. */
function windowAt(text: string, now: string): (string | null)[] | null {
  const window = windowAfter(parseSchedule(`${text}=1`) as Schedule, Date.parse(now));
  return window && [window.from, window.until].map((at) => (at === null ? null : new Date(at).toISOString().replace(":00.000Z", "Z")));
}

// 2026-11-30 is a Monday.
describe("the window that a time is in, or the next one", () => {
  test.each([
    ["within", "Mon-Fri 08:00-19:00 Europe/Berlin", "2026-11-30T12:00Z", ["2026-11-30T07:00Z", "2026-11-30T18:00Z"]],
    ["before it", "Mon-Fri 08:00-19:00 Europe/Berlin", "2026-11-30T03:00Z", ["2026-11-30T07:00Z", "2026-11-30T18:00Z"]],
    ["at its first moment", "Mon-Fri 08:00-19:00 Europe/Berlin", "2026-11-30T07:00Z", ["2026-11-30T07:00Z", "2026-11-30T18:00Z"]],
    ["at its end, the next", "Mon-Fri 08:00-19:00 Europe/Berlin", "2026-11-30T18:00Z", ["2026-12-01T07:00Z", "2026-12-01T18:00Z"]],
    ["over the weekend", "Mon-Fri 08:00-19:00 Europe/Berlin", "2026-12-04T18:00Z", ["2026-12-07T07:00Z", "2026-12-07T18:00Z"]],
    ["after midnight, yesterday's", "Mon 22:00-06:00 UTC", "2026-12-01T05:59Z", ["2026-11-30T22:00Z", "2026-12-01T06:00Z"]],
    ["not after another day's midnight", "Mon 22:00-06:00 UTC", "2026-12-02T05:59Z", ["2026-12-07T22:00Z", "2026-12-08T06:00Z"]],
    ["a day that is another in the zone", "Tue 00:00-02:00 Asia/Tokyo", "2026-11-30T14:00Z", ["2026-11-30T15:00Z", "2026-11-30T17:00Z"]],
    ["days without a pause are one window", "Mon-Fri 00:00-24:00 UTC", "2026-11-30T12:00Z", ["2026-11-30T00:00Z", "2026-12-05T00:00Z"]],
    ["windows that overlap are one", "Mon-Tue 12:00-11:00 UTC", "2026-11-30T13:00Z", ["2026-11-30T12:00Z", "2026-12-01T11:00Z"]],
    ["always", "daily 00:00-24:00 UTC", "2026-11-30T12:00Z", ["2026-11-30T00:00Z", null]],
  ])("%s", (_title, schedule, now, window) => {
    expect(windowAt(schedule, now)).toEqual(window);
  });
});

describe("changes of the clocks", () => {
  // Berlin: on 2026-03-29 02:00 becomes 03:00, on 2026-10-25 03:00 becomes 02:00.
  test.each([
    ["the same local time before and after", "daily 08:00-19:00 Europe/Berlin", "2026-03-28T00:00Z", ["2026-03-28T07:00Z", "2026-03-28T18:00Z"]],
    ["an hour earlier by UTC in summer", "daily 08:00-19:00 Europe/Berlin", "2026-03-29T00:00Z", ["2026-03-29T06:00Z", "2026-03-29T17:00Z"]],
    ["an hour later by UTC in winter", "daily 08:00-19:00 Europe/Berlin", "2026-10-25T00:00Z", ["2026-10-25T07:00Z", "2026-10-25T18:00Z"]],
    ["a night of 7 hours", "Sat 22:00-06:00 Europe/Berlin", "2026-03-28T20:00Z", ["2026-03-28T21:00Z", "2026-03-29T04:00Z"]],
    ["a night of 9 hours", "Sat 22:00-06:00 Europe/Berlin", "2026-10-24T18:00Z", ["2026-10-24T20:00Z", "2026-10-25T05:00Z"]],
    ["a beginning that is skipped", "daily 02:30-04:00 Europe/Berlin", "2026-03-28T23:30Z", ["2026-03-29T01:00Z", "2026-03-29T02:00Z"]],
    ["an end that is skipped", "daily 01:00-02:30 Europe/Berlin", "2026-03-28T23:30Z", ["2026-03-29T00:00Z", "2026-03-29T01:00Z"]],
    ["a window that is skipped", "Sun 02:00-03:00 Europe/Berlin", "2026-03-28T23:30Z", ["2026-04-05T00:00Z", "2026-04-05T01:00Z"]],
    ["both hours of a repeated hour", "daily 02:00-02:30 Europe/Berlin", "2026-10-24T22:30Z", ["2026-10-25T00:00Z", "2026-10-25T01:30Z"]],
    ["a beginning that is repeated", "daily 02:30-04:00 Europe/Berlin", "2026-10-24T22:30Z", ["2026-10-25T00:30Z", "2026-10-25T03:00Z"]],
    ["half an hour, on Lord Howe", "daily 01:00-03:00 Australia/Lord_Howe", "2026-04-04T12:00Z", ["2026-04-04T14:00Z", "2026-04-04T16:30Z"]],
    ["a skipped midnight, in Cairo", "Fri 00:00-01:30 Africa/Cairo", "2026-04-23T12:00Z", ["2026-04-23T22:00Z", "2026-04-23T22:30Z"]],
    ["a skipped day, in Samoa", "Fri 08:00-10:00 Pacific/Apia", "2011-12-30T00:00Z", ["2012-01-05T18:00Z", "2012-01-05T20:00Z"]],
  ])("%s", (_title, schedule, now, window) => {
    expect(windowAt(schedule, now)).toEqual(window);
  });

  test("in 2026, each time is in a window exactly if the clocks show a time in it, or repeat one", () => {
    const schedule = parseSchedule("Sun 01:30-02:30 Europe/Berlin=1") as Schedule;
    const clock = new Intl.DateTimeFormat("en", { timeZone: "Europe/Berlin", weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    for (const around of ["2026-03-28T22:00Z", "2026-10-24T20:00Z", "2026-07-11T20:00Z"]) {
      for (let at = Date.parse(around); at < Date.parse(around) + 10 * 3_600_000; at += 5 * 60_000) {
        const { weekday, hour, minute } = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, value])) as Record<string, string>;
        const shown = weekday === "Sun" && `${hour}:${minute}` >= "01:30" && `${hour}:${minute}` < "02:30";
        const window = windowAfter(schedule, at);
        const is = window !== null && window.from <= at;
        // Between the two hours of autumn it goes on, without an interruption.
        const repeats = at >= Date.parse("2026-10-25T00:30Z") && at < Date.parse("2026-10-25T01:00Z");
        expect([new Date(at).toISOString(), is]).toEqual([new Date(at).toISOString(), shown || repeats]);
      }
    }
  });
});

test.each([
  ["2026-11-30T18:00Z", "19:00"],
  ["2026-12-01T11:59Z", "12:59"],
  ["2026-12-01T12:00Z", "Tue 13:00"],
  ["2026-12-04T18:00Z", "Fri 19:00"],
])("%s is told as %s", (at, text) => {
  expect(localTime(Date.parse(at), "Europe/Berlin", Date.parse("2026-11-30T12:00Z"))).toBe(text);
});
