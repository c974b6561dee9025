import { inspect } from "node:util";

/** What was thrown, as Node tells it where it ends a process: with its stack, its causes and its fields. For logs. Never throws. */
export function stackOf(error: unknown): string {
  return textOf(error, inspect);
}

/** The message of what was thrown, without its stack: for those who are told that it happened. Never throws. */
export function summaryOf(error: unknown): string {
  return textOf(error, (thrown) => (thrown instanceof Error ? thrown.message || thrown.name : inspect(thrown, { breakLength: Number.POSITIVE_INFINITY })));
}

/** Writes what was thrown to the function's log, under the invocation that the running code belongs to. Never throws, whatever a function has put in the place of `write`. */
export function logError(error: unknown, about = ""): void {
  try {
    process.stderr.write(`${about}${stackOf(error)}\n`);
  } catch {
    // The log is the function's own, and the invocation gets its answer all the same.
  }
}

/** Text as it is, anything else as `read` tells it. */
function textOf(error: unknown, read: (error: unknown) => string): string {
  try {
    return typeof error === "string" ? error : String(read(error));
  } catch {
    return "something was thrown that cannot be shown";
  }
}
