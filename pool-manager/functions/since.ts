import { ManagerError } from "../errors.ts";
import { parseDuration } from "./duration.ts";

/**
 * The time that "10m" (ago), or a date and time of ISO 8601, means; in milliseconds of the wall clock, as is `now`.
 * Throws `BODY_INVALID`.
 */
export function sinceMs(text: string, now: number): number {
  const ago = parseDuration(text);
  const at = ago === null ? Date.parse(/^\d{4}-/.test(text) ? text : "") : now - ago;
  if (Number.isNaN(at)) {
    throw new ManagerError(
      "BODY_INVALID",
      `since: ${JSON.stringify(text)} is neither a duration such as 10m (ms, s, m, h) nor a time such as 2026-01-31T12:00:00Z`,
      "since",
    );
  }
  return at;
}
