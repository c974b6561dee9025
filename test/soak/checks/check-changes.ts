import { type HistoryRecord, time } from "../history.ts";
import type { Faults } from "./timeline.ts";

/** The pool manager that is back after a fault has to be found first. */
const AFTERMATH_MS = 10_000;

/** Rule 9 of `check`. */
export function checkChanges(records: readonly HistoryRecord[], faults: Faults): string[] {
  return records.flatMap((record) => {
    if (record.type !== "changed" || record.error === undefined) return [];
    const { at, tookMs, error, function: name } = record;
    if (faults.during(at - tookMs - AFTERMATH_MS, at)) return [];
    return [`rule 9: a change of ${name} at ${time(at)} failed, and nothing had been done to anything: ${error}`];
  });
}
