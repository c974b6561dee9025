import { inspect } from "node:util";

/** Describes a thrown value for logs as Node prints an uncaught one: with its stack, causes and fields. Never throws. */
export function stackOf(error: unknown): string {
  return textOf(error, inspect);
}

/** The message of a thrown value without its stack, for clients and status. Never throws. */
export function summaryOf(error: unknown): string {
  return textOf(error, (thrown) => (thrown instanceof Error ? thrown.message || thrown.name : inspect(thrown, { breakLength: Number.POSITIVE_INFINITY })));
}

/** Writes a thrown value to the function's log, under the current invocation. Never throws, even if the function has replaced `write`. */
export function logError(error: unknown, about = ""): void {
  try {
    process.stderr.write(`${about}${stackOf(error)}\n`);
  } catch {
    // The function broke its own log; the invocation is answered anyway.
  }
}

/** Returns a string as it is, and any other value as `read` describes it. */
function textOf(error: unknown, read: (error: unknown) => string): string {
  try {
    return typeof error === "string" ? error : String(read(error));
  } catch {
    return "the thrown value cannot be described";
  }
}
