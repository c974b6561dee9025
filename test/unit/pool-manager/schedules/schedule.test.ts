import { describe, expect, test } from "vitest";
import { faultIn, parseSchedule, type Schedule } from "../../../../pool-manager/schedules/schedule.ts";

function parsed(text: string): Schedule {
  const schedule = parseSchedule(text);
  if (typeof schedule === "string") throw new Error(schedule);
  return schedule;
}

describe("weekdays", () => {
  test.each([
    ["Mon-Fri", [1, 2, 3, 4, 5]],
    ["Mon,Wed,Fri", [1, 3, 5]],
    ["Sat-Mon", [1, 6, 7]],
    ["Sun", [7]],
    ["Mon-Mon", [1]],
    ["Fri,Sun-Tue", [1, 2, 5, 7]],
    ["daily", [1, 2, 3, 4, 5, 6, 7]],
    ["mon-FRI", [1, 2, 3, 4, 5]],
  ])("%s", (days, numbers) => {
    expect([...parsed(`${days} 08:00-19:00 Europe/Berlin=12`).days].sort()).toEqual(numbers);
  });
});

describe("windows, in minutes after midnight", () => {
  test.each([
    ["08:00-19:00", 480, 1140],
    ["8:30-19:05", 510, 1145],
    ["22:00-06:00", 1320, 1800],
    ["22:00-00:00", 1320, 1440],
    ["22:00-24:00", 1320, 1440],
    ["00:00-24:00", 0, 1440],
    ["00:01-00:00", 1, 1440],
  ])("%s", (window, from, until) => {
    expect(parsed(`daily ${window} UTC=1`)).toMatchObject({ from, until });
  });
});

test("the text is kept, without spaces that say nothing", () => {
  expect(parsed("  Mon-Fri  08:00-19:00   Europe/Berlin=12 ")).toMatchObject({
    text: "Mon-Fri 08:00-19:00 Europe/Berlin=12",
    zone: "Europe/Berlin",
    instances: 12,
  });
});

describe("what is wrong is named, with a right example", () => {
  test.each([
    ["Mon-Fry 08:00-19:00 Europe/Berlin=12", '"Fry" is no weekday'],
    ["Mon-Wed-Fri 08:00-19:00 Europe/Berlin=12", '"Mon-Wed-Fri" is no weekday'],
    ["Mon,,Fri 08:00-19:00 Europe/Berlin=12", '"" is no weekday'],
    ["Mon-Fri 25:00-19:00 Europe/Berlin=12", '"25:00" is no time'],
    ["Mon-Fri 24:00-06:00 Europe/Berlin=12", '"24:00" is no time from 00:00 to 23:59'],
    ["Mon-Fri 08:00-19:60 Europe/Berlin=12", '"19:60" is no time'],
    ["Mon-Fri 8-19 Europe/Berlin=12", '"8" is no time'],
    ["Mon-Fri 08:00-08:00 Europe/Berlin=12", "the window 08:00-08:00 is empty"],
    ["Mon-Fri 08:00-19:00 Europe/Berln=12", "did you mean Europe/Berlin?"],
    ["Mon-Fri 08:00-19:00 Berlin=12", "did you mean Europe/Berlin?"],
    ["Mon-Fri 08:00-19:00 Atlantis/Poseidonia=12", 'there is no time zone "Atlantis/Poseidonia"'],
    ["Mon-Fri 08:00-19:00 +01:00=12", "+01:00 is an offset"],
    ["Mon-Fri 08:00-19:00 Europe/Berlin=-3", "-3 is not a number of instances"],
    ["Mon-Fri 08:00-19:00 Europe/Berlin=0", "0 is not a number of instances"],
    ["Mon-Fri 08:00-19:00 Europe/Berlin=1.5", "1.5 is not a number of instances"],
    ["Mon-Fri 08:00-19:00 Europe/Berlin=", "nothing is not a number of instances"],
    ["Mon-Fri 08:00-19:00 Europe/Berlin", "it is not"],
    ["Mon-Fri 08:00-19:00=12", "it is not"],
    ["08:00-19:00 Europe/Berlin=12", "it is not"],
    ["", "it is not"],
  ])("%s", (text, message) => {
    const fault = parseSchedule(text);
    expect(fault).toContain(message);
    const [, example = ""] = /"(\S+ \d\d:\d\d-\d\d:\d\d \S+=\d+)"/.exec(fault as string) ?? [];
    expect(parseSchedule(example)).toBeTypeOf("object");
  });
});

test("the first wrong one of several is named by its place", () => {
  const good = "Mon-Fri 08:00-19:00 Europe/Berlin=12";
  expect(faultIn([good, good], 12, "max")).toBeNull();
  expect(faultIn([good, "daily 1 UTC=2"], 12, "max")).toMatchObject({ index: 1 });
  expect(faultIn([good], 11, "max")).toEqual({ index: 0, message: `"${good}" keeps 12 instances, and max is 11: raise it, or keep fewer` });
});
