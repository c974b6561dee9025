import { expect, test } from "vitest";
import { closingLine, type Report, verdictOf } from "../../api-fuzz/verdict.ts";

const CLEAN: Report = {
  complete: true,
  exit_code: 0,
  operations: { total: 25, tested: 25 },
  test_cases: { generated: 900, with_failures: 0, without_checks: 10, errored: 0 },
};
const line = (report: Report | null) => closingLine(verdictOf(report));

test("a run without a finding counts the cases that were judged", () => {
  expect(line(CLEAN)).toEqual({ line: "890 passed, 0 failed", failed: false });
});

test("findings and errors are counted", () => {
  const test_cases = { ...CLEAN.test_cases, with_failures: 3, errored: 1 };
  expect(line({ ...CLEAN, exit_code: 1, test_cases })).toEqual({ line: "886 passed, 4 failed", failed: true });
});

test.each<[string, Report | null]>([
  ["wrote no report", null],
  ["judged no case", { ...CLEAN, test_cases: { generated: 10, with_failures: 0, without_checks: 10, errored: 0 } }],
  ["asked no operation", { ...CLEAN, operations: null }],
  ["left an operation out", { ...CLEAN, operations: { total: 25, tested: 24 } }],
  ["did not come to its end", { ...CLEAN, complete: false }],
  ["failed for a reason of its own", { ...CLEAN, exit_code: 2 }],
])("a run that %s fails", (_what, report) => {
  expect(line(report)).toMatchObject({ line: expect.stringMatching(/^\d+ passed, 1 failed$/), failed: true });
});
