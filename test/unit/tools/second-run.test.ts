import { describe, expect, test } from "vitest";
import { closingLine, isGreen, type Outcome } from "../../tiers/outcome.ts";
import { filesToRepeat, flakyIn, joined } from "../../tiers/second-run.ts";

const outcome = (file: string, passed: number, ...failed: string[]): Outcome => ({
  file,
  passed,
  skipped: 0,
  failures: failed.map((test) => ({ test, message: `${test} broke` })),
});

describe("files that failed are run once more", () => {
  test("each of up to three", () => {
    expect(filesToRepeat([outcome("a", 1), outcome("b", 1, "x", "y"), outcome("c", 0, "z")])).toEqual(["b", "c"]);
  });

  test("none if more failed, which is no accident", () => {
    expect(filesToRepeat(["a", "b", "c", "d"].map((file) => outcome(file, 9, "x")))).toEqual([]);
  });

  test("none if something failed outside of files", () => {
    expect(filesToRepeat([outcome("a", 1, "x"), outcome("", 0, "outside of tests")])).toEqual([]);
  });
});

describe("a second run", () => {
  const first = [outcome("a", 5), outcome("b", 3, "x")];

  test("that passes makes the run green, and the failure flaky", () => {
    const second = [outcome("b", 4)];
    expect(flakyIn(first[1] as Outcome, second[0] as Outcome)).toEqual([{ test: "x", message: "x broke" }]);
    expect(closingLine(joined(first, second))).toBe("9 passed, 0 failed");
    expect(isGreen(joined(first, second))).toBe(true);
  });

  test("in which another test of the file fails is a failure", () => {
    const second = [outcome("b", 3, "y")];
    expect(flakyIn(first[1] as Outcome, second[0] as Outcome)).toEqual([]);
    expect(closingLine(joined(first, second))).toBe("8 passed, 1 failed");
    expect(isGreen(joined(first, second))).toBe(false);
  });

  test("in which nothing runs proves nothing", () => {
    const second = [outcome("b", 0)];
    expect(flakyIn(first[1] as Outcome, second[0] as Outcome)).toEqual([]);
    expect(isGreen(joined(first, second))).toBe(false);
  });
});

test("a run without tests is not green", () => {
  expect(isGreen([])).toBe(false);
  expect(isGreen([outcome("a", 0)])).toBe(false);
});
