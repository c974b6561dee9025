import { expect, test } from "vitest";
import { BoundedMap, BoundedSet } from "../../../../pool-manager/collections/bounded.ts";

interface Case {
  name: string;
  /** Keys in the order in which they are set; one that begins with "-" is deleted, one with "?" is read. */
  acts: string;
  /** From the oldest to the newest. */
  kept: string;
  dropped: string;
}

const CASES: Case[] = [
  { name: "as many as there is room for are kept", acts: "a b c", kept: "a b c", dropped: "" },
  { name: "the oldest makes room", acts: "a b c d e", kept: "c d e", dropped: "a b" },
  { name: "a key that is set again is the newest", acts: "a b c a d", kept: "c a d", dropped: "b" },
  { name: "setting the same key drops nothing", acts: "a b c c c", kept: "a b c", dropped: "" },
  { name: "reading changes nothing", acts: "a b c ?a d", kept: "b c d", dropped: "a" },
  { name: "what is deleted leaves room, and is not reported as dropped", acts: "a b c -b d", kept: "a c d", dropped: "" },
];

test.each(CASES)("a map of three: $name", ({ acts, kept, dropped }) => {
  const gone: string[] = [];
  const map = new BoundedMap<string, number>(3, (key) => gone.push(key));
  acts.split(" ").forEach((act, i) => {
    if (act.startsWith("-")) map.delete(act.slice(1));
    else if (act.startsWith("?")) map.get(act.slice(1));
    else map.set(act, i);
  });
  expect([...map.keys()].join(" ")).toBe(kept);
  expect(gone.join(" ")).toBe(dropped);
});

test.each(CASES)("a set of three: $name", ({ acts, kept }) => {
  const set = new BoundedSet<string>(3);
  for (const act of acts.split(" ")) {
    if (act.startsWith("-")) set.delete(act.slice(1));
    else if (act.startsWith("?")) set.has(act.slice(1));
    else set.add(act);
  }
  expect([...set].join(" ")).toBe(kept);
});

test("a dropped entry is reported with its value, and the latest value is kept", () => {
  const gone: [string, number][] = [];
  const map = new BoundedMap<string, number>(1, (...entry) => gone.push(entry));
  map.set("a", 1).set("a", 2).set("b", 3);
  expect(gone).toEqual([["a", 2]]);
  expect([...map]).toEqual([["b", 3]]);
});
