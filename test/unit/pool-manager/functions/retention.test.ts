import { describe, expect, test } from "vitest";
import { Retention } from "../../../../pool-manager/functions/retention.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const DIGEST = `sha256:${"ab".repeat(32)}`;

function retention(perMinute = 20): { at(ms: number, needed?: string[]): void; of: Retention } {
  let now = 0;
  const of = new Retention({ perMinute }, () => now);
  return {
    of,
    at(ms, needed = []) {
      now = ms;
      of.sweep(needed);
    },
  };
}

describe("an unreferenced object", () => {
  test("stays for a day after it was first seen, and is then removed with the reason", () => {
    const { at, of } = retention();
    at(5 * MINUTE);
    expect(of.mayGo("image", DIGEST)).toBeNull();
    for (let hour = 1; hour < 24; hour++) {
      at(5 * MINUTE + hour * 60 * MINUTE);
      expect(of.mayGo("image", DIGEST)).toBeNull();
    }
    at(5 * MINUTE + DAY);
    expect(of.mayGo("image", DIGEST)).toBe("nothing has referred to it for 86400 s");
  });

  test("begins its day anew when something needed it meanwhile", () => {
    const { at, of } = retention();
    at(0);
    of.mayGo("layer", DIGEST);
    at(60 * MINUTE, [DIGEST]);
    at(61 * MINUTE);
    expect(of.mayGo("layer", DIGEST)).toBeNull();
    at(DAY);
    expect(of.mayGo("layer", DIGEST)).toBeNull();
  });

  test("is removed ten minutes after its end was observed, by whatever name the collector asks for it", () => {
    const { at, of } = retention();
    of.end([DIGEST], "the function a was deleted");
    at(9 * MINUTE);
    expect(of.mayGo("image", DIGEST)).toBeNull();
    at(10 * MINUTE);
    for (const id of [DIGEST, "ab".repeat(20), `sha256-${"ab".repeat(32)}`]) expect(of.mayGo("image", id)).toBe("the function a was deleted");
  });

  test("starts its retention anew once it is needed again", () => {
    const { at, of } = retention();
    of.end([DIGEST], "the function a was deleted");
    at(5 * MINUTE, [DIGEST]);
    at(30 * MINUTE);
    expect(of.mayGo("image", DIGEST)).toBeNull();
  });

  test("is removed together with only a few others at a time", () => {
    const { at, of } = retention(2);
    const all = ["a", "b", "c", "d", "e"];
    of.end(all, "deleted");
    const gone = (minute: number) => {
      at(minute * MINUTE);
      return all.filter((id) => of.mayGo("blob", id) !== null);
    };
    expect(gone(10)).toEqual(["a", "b"]);
    expect([gone(10.5), gone(11)]).toEqual([[], ["a", "b"]]);
  });
});

test("a function has ended at once if its end was observed, and after a day if it is merely unknown", () => {
  const { at, of } = retention();
  expect(of.isOver("f")).toBe(false);
  of.end(["g"], "deleted");
  expect([of.isOver("g"), of.mayGo("function", "g")]).toEqual([true, "deleted"]);
  at(MINUTE);
  expect([of.mayGo("function", "g"), of.mayGo("secret", "g"), of.isOver("f")]).toEqual(["deleted", "deleted", false]);
  for (let hour = 1; hour < 24; hour++) {
    at(hour * 60 * MINUTE);
    expect(of.isOver("f")).toBe(false);
  }
  at(DAY);
  expect(of.isOver("f")).toBe(true);
});

test("the time of first sight is not remembered for ever", () => {
  const { at, of } = retention();
  at(0);
  of.isOver("f");
  at(12 * 60 * MINUTE);
  at(DAY);
  expect(of.isOver("f")).toBe(false);
});
