import { parse } from "yaml";

/** The deepest nesting that is accepted: no record comes near it, and a deeper value might not be writable again. */
const MAX_DEPTH = 32;

/**
 * Parses a stored record: JSON, which is also YAML but parses in a hundredth of the time, or YAML's own style as written by
 * an older Berth or by hand. Throws if it is neither, or nested too deeply.
 */
export function readStored(text: string): unknown {
  const value = parseEither(text);
  checkDepth(value, MAX_DEPTH);
  return value;
}

/** Formats a record as indented JSON, so that people can read and edit it. */
export function writeStored(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function parseEither(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return parse(text);
  }
}

function checkDepth(value: unknown, left: number): void {
  if (typeof value !== "object" || value === null) return;
  if (left === 0) throw new Error(`it is nested more than ${MAX_DEPTH} times`);
  for (const item of Object.values(value)) checkDepth(item, left - 1);
}
