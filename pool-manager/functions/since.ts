import { parseDuration } from "./manifest/duration.ts";

/**
 * The time that "10m" (ago), or a date and time of ISO 8601, means; in milliseconds of the wall clock, as is `now`. `text`
 * matches `PATTERNS.since`. Null: its month has no such day, which would be taken for one of the next month.
 */
export function sinceMs(text: string, now: number): number | null {
  const ago = parseDuration(text);
  if (ago !== null) return now - ago;
  const date = text.slice(0, 10);
  return new Date(date).toISOString().startsWith(date) ? Date.parse(text) : null;
}
