import { existsSync, readFileSync } from "node:fs";

/** The fields of Schemathesis' JSON report that are read here. */
export interface Report {
  complete: boolean;
  exit_code: number;
  operations: { total: number; tested: number } | null;
  test_cases: { generated: number; with_failures: number; without_checks: number; errored: number };
}

/** In cases. */
export interface Verdict {
  judged: number;
  failures: number;
}

/** Null: there is none. */
export function readReport(file: string): Report | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Report) : null;
}

/** A run that did not come to its end, left an operation out or judged no case is a failure as well. */
export function verdictOf(report: Report | null): Verdict {
  if (!report) return { judged: 0, failures: 1 };
  const { complete, exit_code, operations, test_cases } = report;
  const judged = test_cases.generated - test_cases.without_checks;
  const found = test_cases.with_failures + test_cases.errored;
  const whole = complete && exit_code === 0 && judged > 0 && operations !== null && operations.tested === operations.total;
  return { judged, failures: found === 0 && !whole ? 1 : found };
}

/** Closes as the other test commands do. */
export function closingLine({ judged, failures }: Verdict): { line: string; failed: boolean } {
  return { line: `${Math.max(judged - failures, 0)} passed, ${failures} failed`, failed: failures > 0 };
}
