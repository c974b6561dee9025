import { Temporal } from "temporal-polyfill";
import type { Schedule } from "./schedule.ts";

/** A time in which a schedule is active, in milliseconds since 1970. */
export interface Window {
  from: number;
  /** Null: no end within the days that are searched. */
  until: number | null;
}

/** The next window begins within a week, or within two if the clocks skip it; windows without a pause between them are one. */
const SEARCHED_DAYS = 17;

/**
 * The window that `now` is in, or else the next one. Null: there is none within two weeks.
 *
 * | the zone's clocks | a window that begins | a window that ends |
 * |---|---|---|
 * | skip its time | at the change | at the change |
 * | show its time twice | at the first | at the second |
 */
export function windowAfter(schedule: Schedule, now: number): Window | null {
  const today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(schedule.zone).toPlainDate();
  let found: { from: number; until: number } | null = null;
  // Yesterday's window may not be over.
  for (let ahead = -1; ahead < SEARCHED_DAYS; ahead++) {
    const window = windowOn(schedule, today.add({ days: ahead }));
    if (window === null || window.until <= now) continue;
    if (found === null) found = window;
    else if (window.from > found.until) return found;
    else found.until = window.until;
  }
  return found && hasPause(schedule) ? found : found && { from: found.from, until: null };
}

/** The window that begins on this date; null if there is none, or if the clocks skip all of it. */
function windowOn({ days, from, until, zone }: Schedule, date: Temporal.PlainDate): { from: number; until: number } | null {
  if (!days.has(date.dayOfWeek)) return null;
  const midnight = date.toPlainDateTime();
  const window = { from: instantOf(midnight.add({ minutes: from }), zone, "earlier"), until: instantOf(midnight.add({ minutes: until }), zone, "later") };
  return window.from < window.until ? window : null;
}

/** `which`: of a time that the clocks show twice. */
function instantOf(time: Temporal.PlainDateTime, zone: string, which: "earlier" | "later"): number {
  const found = time.toZonedDateTime(zone, { disambiguation: which });
  if (found.toPlainDateTime().equals(time)) return found.epochMilliseconds;
  // The clocks skip it. Of such a time, the earlier reading is before the change.
  const change = time.toZonedDateTime(zone, { disambiguation: "earlier" }).getTimeZoneTransition("next");
  return (change ?? found).epochMilliseconds;
}

/** False if a window follows on the other without an end. */
function hasPause({ days, from, until }: Schedule): boolean {
  return days.size < 7 || until - from < 1440;
}

/** The time on the zone's clocks, such as "19:00"; with the weekday if it is a day away or more. */
export function localTime(at: number, zone: string, now: number): string {
  const time = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone);
  const clock = time.toPlainTime().toString({ smallestUnit: "minute" });
  if (Math.abs(at - now) < 86_400_000) return clock;
  return `${["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][time.dayOfWeek - 1]} ${clock}`;
}
