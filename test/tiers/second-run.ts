import type { Failure, Outcome } from "./outcome.ts";

/** More failed files than that are no accident: none of them is run again. */
const MOST_FILES = 3;

/** Files that are run once more, alone: those that failed, unless they are many or something failed outside of files. */
export function filesToRepeat(outcomes: readonly Outcome[]): string[] {
  const files = outcomes.filter(({ failures }) => failures.length > 0).map(({ file }) => file);
  return files.length > MOST_FILES || files.includes("") ? [] : files;
}

/** A failure in the first run of a file that passed in the second one. */
export function flakyIn(first: Outcome, second: Outcome): Failure[] {
  return second.failures.length === 0 && second.passed > 0 ? first.failures : [];
}

/** The outcomes of a run with those of second runs in their places; a second run in which nothing ran replaces nothing. */
export function joined(outcomes: readonly Outcome[], second: readonly Outcome[]): Outcome[] {
  return outcomes.map((one) => second.find(({ file, passed, failures }) => file === one.file && passed + failures.length > 0) ?? one);
}
