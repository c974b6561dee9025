import type { TestModule } from "vitest/node";

export interface Failure {
  /** Names of the suites and the test; the file's own where it failed outside of tests. */
  test: string;
  /** First line of the first error. */
  message: string;
}

/** The outcome of the tests of one file. */
export interface Outcome {
  /** Relative to the root of the repository; empty for what went wrong outside of files. */
  file: string;
  passed: number;
  skipped: number;
  failures: Failure[];
}

/** Counts what ran; a broken file, suite or hook, and an error outside of tests, is a failure, never quiet. */
export function outcomesOf(modules: readonly TestModule[], errors: readonly unknown[] = []): Outcome[] {
  const outcomes = modules.map(outcomeOf);
  if (errors.length > 0) {
    outcomes.push({ file: "", passed: 0, skipped: 0, failures: errors.map((error) => ({ test: "outside of tests", message: firstLine(error) })) });
  }
  return outcomes;
}

function outcomeOf(module: TestModule): Outcome {
  const file = module.relativeModuleId;
  const broken = [module, ...module.children.allSuites()].filter((part) => part.errors().length > 0);
  const failures = broken.map((part) => ({ test: part.type === "suite" ? part.fullName : file, message: firstLine(part.errors()[0]) }));
  const outcome: Outcome = { file, passed: 0, skipped: 0, failures };
  for (const test of module.children.allTests()) {
    const { state, errors } = test.result();
    if (state === "passed") outcome.passed += 1;
    else if (state === "failed") failures.push({ test: test.fullName, message: firstLine(errors?.[0]) });
    else outcome.skipped += 1;
  }
  return outcome;
}

/** `N passed, N failed`, as every tier ends. */
export function closingLine(outcomes: readonly Outcome[]): string {
  const sum = (count: (one: Outcome) => number) => outcomes.reduce((total, one) => total + count(one), 0);
  const skipped = sum((one) => one.skipped);
  return `${sum((one) => one.passed)} passed, ${sum((one) => one.failures.length)} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** Something ran, and nothing failed. */
export function isGreen(outcomes: readonly Outcome[]): boolean {
  return outcomes.some(({ passed }) => passed > 0) && outcomes.every(({ failures }) => failures.length === 0);
}

function firstLine(error: unknown): string {
  const message = (error as { message?: unknown } | null | undefined)?.message ?? error;
  return String(message).split("\n")[0] ?? "";
}
