/** What was thrown, with its stack where it has one: for logs. Whatever it is, this does not throw. */
export function stackOf(error: unknown): string {
  return textOf(error, (thrown) => thrown.stack ?? thrown.message);
}

/** The message of what was thrown, without its stack: for those who are told that it happened. */
export function summaryOf(error: unknown): string {
  return textOf(error, (thrown) => thrown.message || thrown.name);
}

function textOf(error: unknown, read: (error: Error) => unknown): string {
  try {
    return String(error instanceof Error ? read(error) : error);
  } catch {
    return "something was thrown that cannot be shown";
  }
}
