import type { Schedule } from "./schedule.ts";
import { localTime, type Window } from "./window.ts";

/** The schedule in force, in milliseconds since 1970. */
export interface ActiveSchedule {
  /** As it was set. */
  schedule: string;
  instances: number;
  /** When its window begins: what needs time to start is kept from somewhat earlier on. */
  from: number;
  /** When its window ends; null: no end is near. */
  until: number | null;
  /** In words, such as "the schedule Mon-Fri 08:00-19:00 Europe/Berlin until 19:00". */
  text: string;
}

/** A schedule with its present or next window, and how much earlier its instances are kept so that they are ready when it begins. */
export interface Planned {
  schedule: Schedule;
  window: Window | null;
  leadMs: number;
}

/** The schedule with the most instances of those that are active at `now`, and when that may change next; null: not in sight. */
export function activeAt<P extends Planned>(planned: readonly P[], now: number): { active: P | null; nextAt: number | null } {
  let active: P | null = null;
  let nextAt = Number.POSITIVE_INFINITY;
  for (const one of planned) {
    if (!one.window) continue;
    const begins = one.window.from - one.leadMs;
    const ends = one.window.until ?? Number.POSITIVE_INFINITY;
    nextAt = Math.min(nextAt, ...[begins, one.window.from, ends].filter((at) => at > now));
    if (now >= begins && now < ends && isMore(one, active)) active = one;
  }
  return { active, nextAt: Number.isFinite(nextAt) ? nextAt : null };
}

/** Of two with as many instances, the one that ends last. */
function isMore({ schedule, window }: Planned, than: Planned | null): boolean {
  if (!than) return true;
  if (schedule.instances !== than.schedule.instances) return schedule.instances > than.schedule.instances;
  return (window?.until ?? Number.POSITIVE_INFINITY) > (than.window?.until ?? Number.POSITIVE_INFINITY);
}

/** An active schedule as it is shown at `now`. Its words are expensive: they need the zone's clocks. */
export function describe({ schedule, window }: Planned, now: number): ActiveSchedule {
  const { from, until } = window as Window;
  const name = `the schedule ${schedule.text.replace(/=\d+$/, "")}`;
  const ends = until === null ? "" : ` until ${localTime(until, schedule.zone, now)}`;
  const text = now < from ? `${name}, which begins at ${localTime(from, schedule.zone, now)}` : `${name}${ends}`;
  return { schedule: schedule.text, instances: schedule.instances, from, until, text };
}
