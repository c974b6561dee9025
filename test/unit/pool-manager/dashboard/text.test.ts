import { describe, expect, test } from "vitest";
import { detailOf, isFailure, matches } from "../../../../pool-manager/dashboard/data/events.ts";
import { formatAge, formatMs, formatPercent, formatRate, formatTime, plural } from "../../../../pool-manager/dashboard/data/format.ts";
import { linkTo, routeOf } from "../../../../pool-manager/dashboard/data/route.ts";
import { EventParser } from "../../../../pool-manager/dashboard/streams/event-stream.ts";

test.each([
  [null, "–"],
  [0, "0 ms"],
  [0.3, "0.3 ms"],
  [0.96, "1.0 ms"],
  [9.96, "10 ms"],
  [999.6, "1.0 s"],
  [12_345, "12 s"],
])("%s ms are written as %s", (ms, text) => expect(formatMs(ms)).toBe(text));

test.each([
  [0, "0"],
  [0.02, "0.02"],
  [3.14, "3.1"],
  [12_345.6, "12,346"],
])("a rate of %s is written as %s", (rate, text) => expect(formatRate(rate)).toBe(text));

test.each([
  [-5, "0s"],
  [59_999, "59s"],
  [60_000, "1m"],
  [7_200_000, "2h"],
  [172_800_000, "2d"],
])("an age of %s ms is written as %s", (ms, text) => expect(formatAge(ms)).toBe(text));

test("a share is never rounded to none or all", () => {
  expect([formatPercent(1, 100_000), formatPercent(99_999, 100_000), formatPercent(0, 5), formatPercent(5, 5), formatPercent(1, 0)]).toEqual([
    "< 0.1 %",
    "> 99.9 %",
    "0 %",
    "100 %",
    "–",
  ]);
  expect([plural(1, "instance"), plural(1000, "instance"), formatTime("no date")]).toEqual(["1 instance", "1,000 instances", "no date"]);
});

test.each([
  ["", { at: "pools" }],
  ["#/functions", { at: "functions" }],
  ["#/events", { at: "events" }],
  ["#/functions/%E0%A4%A", { at: "function", name: "%E0%A4%A" }],
  ["#/anything/else", { at: "pools" }],
])("the address %s shows %j", (hash, route) => expect(routeOf(hash)).toEqual(route));

test("a link leads to the name that it was made of, whatever that is", () => {
  for (const name of ["hello", "a/b", "<img src=x>", "ü #?%"]) expect(routeOf(linkTo(name))).toEqual({ at: "function", name });
});

describe("server-sent events", () => {
  test("are read however the network cuts them", () => {
    const text = 'data: {"a":1}\n\n: alive\n\ndata: {"b":2}\n\n';
    for (let size = 1; size < text.length; size++) {
      const parser = new EventParser();
      const found: string[] = [];
      for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size)));
      expect(found).toEqual(['{"a":1}', '{"b":2}']);
    }
  });
});

test("events are told in words, failures apart", () => {
  const failed = { seq: 1, time: "", type: "instance.load-failed", pool: "node", instance: "i", function: "f", revision: "r2", message: "no handler" } as const;
  expect([detailOf(failed), isFailure(failed), matches(failed, "HANDLER"), matches(failed, "other")]).toEqual(["no handler — revision r2", true, true, false]);
  const recovered = { seq: 2, time: "", type: "cluster.trouble", step: "watch pods", message: null } as const;
  expect([detailOf(recovered), isFailure(recovered)]).toEqual(["step watch pods", false]);
});
