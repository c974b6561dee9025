import { parse } from "yaml";

/** Nothing that is written is nearly as deep; what is deeper can be read, but not always written again. */
const MAX_DEPTH = 32;

/**
 * Records are written as JSON, which is YAML too: it is read in a hundredth of the time. What an older Berth, or a hand,
 * has written in YAML's own style is read as such. Throws for what is neither, and for what is nested too deeply.
 */
export function readStored(text: string): unknown {
  const value = parseEither(text);
  checkDepth(value, MAX_DEPTH);
  return value;
}

/** In lines, so that people can read it and change it. */
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
