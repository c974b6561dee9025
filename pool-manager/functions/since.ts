import { parseDuration } from "./duration.ts";

/** The time that "10m" (ago), or a date and time of ISO 8601, means; in milliseconds of the wall clock, as is `now`. `text` matches `PATTERNS.since`. */
export function sinceMs(text: string, now: number): number {
  const ago = parseDuration(text);
  return ago === null ? Date.parse(text) : now - ago;
}
