import { isZone, nearestZone } from "./zone.ts";

/** Instances that are kept in a window of certain weekdays, by the clock of a time zone. */
export interface Schedule {
  /** As it was set, such as "Mon-Fri 08:00-19:00 Europe/Berlin=12". */
  text: string;
  /** Weekdays on which a window begins; 1 is Monday, 7 Sunday. */
  days: ReadonlySet<number>;
  /** Minutes after the weekday's midnight. `until` is above `from`, and above 1440 for a window that ends on the next day. */
  from: number;
  until: number;
  /** Name in the IANA time zone database. */
  zone: string;
  instances: number;
}

/** The largest accepted number of instances. */
const MAX_INSTANCES = 5000;
const DAY_MINUTES = 1440;
const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] as const;
const EVERY_DAY = "daily";

/** A right example, for messages. */
export const EXAMPLE = '"Mon-Fri 08:00-19:00 Europe/Berlin=12"';

/** Parses "DAYS HH:MM-HH:MM ZONE=INSTANCES". Returns a text if it is none: what is wrong with it, and how to write it. */
export function parseSchedule(given: string): Schedule | string {
  const text = given.trim().replace(/\s+/g, " ");
  const parts = /^(\S+) (\S+)-(\S+) (\S+?)=(\S*)$/.exec(text);
  if (!parts) return `it is not "DAYS HH:MM-HH:MM ZONE=INSTANCES"; write it as ${EXAMPLE}`;
  const [, days, from, until, zone, instances] = parts as unknown as [string, string, string, string, string, string];
  const weekdays = weekdaysOf(days);
  if (typeof weekdays === "string") return weekdays;
  const window = windowOf(from, until);
  if (typeof window === "string") return window;
  if (!isZone(zone)) return zoneFault(zone);
  const count = Number(instances);
  if (!/^\d+$/.test(instances) || count < 1 || count > MAX_INSTANCES)
    return `${instances || "nothing"} is not a number of instances from 1 to ${MAX_INSTANCES}; write it as ${EXAMPLE}`;
  return { text, days: weekdays, ...window, zone, instances: count };
}

/** The first schedule that is wrong, or that wants more than `max` instances, in words; null: there is none. `name` is that of `max`. */
export function faultIn(texts: readonly string[], max: number, name: string): { index: number; message: string } | null {
  for (const [index, text] of texts.entries()) {
    const schedule = parseSchedule(text);
    const shown = JSON.stringify(text.slice(0, 80));
    if (typeof schedule === "string") return { index, message: `${shown}: ${schedule}` };
    if (schedule.instances > max) return { index, message: `${shown} keeps ${schedule.instances} instances, and ${name} is ${max}: raise it, or keep fewer` };
  }
  return null;
}

/** Weekdays of a list such as "Mon-Fri", "Mon,Wed,Fri", "Sat-Mon" or "daily". */
function weekdaysOf(text: string): ReadonlySet<number> | string {
  if (text.toLowerCase() === EVERY_DAY) return new Set([1, 2, 3, 4, 5, 6, 7]);
  const days = new Set<number>();
  for (const item of text.split(",")) {
    const ends = item.split("-");
    const wrong = ends.find((name) => numberOf(name) === 0);
    if (wrong !== undefined || ends.length > 2)
      return `${JSON.stringify(wrong ?? item)} is no weekday; there is ${DAYS.join(", ")}, in ranges (Mon-Fri, Sat-Mon) and lists (Mon,Wed), or ${EVERY_DAY}, as in ${EXAMPLE}`;
    const [first, last = first] = ends.map(numberOf) as [number, number?];
    // A range may go over Sunday: Sat-Mon.
    for (let day = first; days.add(day) && day !== last; ) day = (day % DAYS.length) + 1;
  }
  return days;
}

/** 1 for Monday to 7 for Sunday; 0 for any other text. */
function numberOf(name: string): number {
  return DAYS.findIndex((day) => day.toLowerCase() === name.toLowerCase()) + 1;
}

function windowOf(from: string, until: string): Pick<Schedule, "from" | "until"> | string {
  const [begin, end] = [minutesOf(from), minutesOf(until)];
  if (begin === null || begin === DAY_MINUTES) return `${JSON.stringify(from)} is no time from 00:00 to 23:59; write it as ${EXAMPLE}`;
  if (end === null) return `${JSON.stringify(until)} is no time from 00:00 to 24:00; write it as ${EXAMPLE}`;
  if (begin === end) return `the window ${from}-${until} is empty; a whole day is 00:00-24:00, as in "daily 00:00-24:00 Europe/Berlin=12"`;
  return { from: begin, until: end > begin ? end : end + DAY_MINUTES };
}

function minutesOf(text: string): number | null {
  const match = /^(\d{1,2}):([0-5]\d)$/.exec(text);
  if (!match) return null;
  const minutes = Number(match[1]) * 60 + Number(match[2]);
  return minutes <= DAY_MINUTES ? minutes : null;
}

function zoneFault(zone: string): string {
  if (/^[+-]\d/.test(zone)) return `${zone} is an offset, which knows no summer time; name a time zone, as in ${EXAMPLE}`;
  const meant = nearestZone(zone);
  const hint = meant ? `did you mean ${meant}? An example is ${EXAMPLE}` : `take a name of the IANA time zone database, as in ${EXAMPLE}`;
  return `there is no time zone ${JSON.stringify(zone.slice(0, 40))}; ${hint}`;
}
