/** The text of what was thrown, with its stack where it has one: for logs. Never throws. */
export function stackOf(error: unknown): string {
  return textOf(error, (thrown) => thrown.stack ?? thrown.message);
}

/** The message of what was thrown, without its stack: for those who are told that it happened. Never throws. */
export function summaryOf(error: unknown): string {
  return textOf(error, (thrown) => thrown.message || thrown.name);
}

/** Writes what was thrown to the function's log, under the invocation that the running code belongs to. */
export function logError(error: unknown, about = ""): void {
  process.stderr.write(`${about}${stackOf(error)}\n`);
}

function textOf(error: unknown, read: (error: Error) => unknown): string {
  try {
    return String(error instanceof Error ? read(error) : error);
  } catch {
    return "something was thrown that cannot be shown";
  }
}
