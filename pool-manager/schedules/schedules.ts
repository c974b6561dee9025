import { type ActiveSchedule, activeAt, type Planned } from "./active.ts";
import { parseSchedule, type Schedule } from "./schedule.ts";
import { type Window, windowAfter } from "./window.ts";

/** Different schedules whose windows are kept, and owners whose instances are kept ahead of a window. */
const MOST_WINDOWS = 2000;
const MOST_AHEAD = 10_000;
/** Refills take this many times what they have taken on average. */
const LEAD_RESERVE = 1.5;
/** Nothing is kept longer than this before a window begins. */
const LONGEST_LEAD_MS = 600_000;

/** How a pool is refilled: how long one instance takes, and how many are started at a time. */
interface Refills {
  refillMs: number;
  refills: number;
}

interface Known {
  schedule: Schedule;
  /** When the window was looked up: it holds from then until it ends. */
  since: number;
  window: Window | null;
}

/** How long before a window its instances are ordered, so that they are ready when it begins. */
export function leadOf({ refillMs, refills }: Refills, instances: number): number {
  return Math.min(LONGEST_LEAD_MS, LEAD_RESERVE * refillMs * Math.ceil(instances / Math.max(1, refills)));
}

/** Which schedules are in force. It depends on the wall clock alone, and is looked up anew at each question: a clock that is set is followed at once. */
export class Schedules {
  readonly #wall: () => number;
  /** By text. */
  readonly #known = new Map<string, Known>();
  /** Beginnings of windows for which instances are kept already: a refill time that is measured meanwhile does not take them back. */
  readonly #ahead = new Map<string, number>();
  #refillOf: (pool: string) => Refills = () => ({ refillMs: 1000, refills: 1 });
  #nextAt = Number.POSITIVE_INFINITY;
  #askedAt = Number.NEGATIVE_INFINITY;

  /** `wall`: milliseconds since 1970. */
  constructor(wall: () => number = Date.now) {
    this.#wall = wall;
  }

  /** Takes the refill times of pools from here. */
  learnFrom(refillOf: (pool: string) => Refills): void {
    this.#refillOf = refillOf;
  }

  /** The schedule in force of an owner, a pool's or a function's uid; null: none is. */
  activeOf(owner: string, pool: string, texts: readonly string[] | undefined): ActiveSchedule | null {
    if (!texts?.length) return null;
    const now = this.#now();
    const refills = this.#refillOf(pool);
    const planned = texts.flatMap((text): Planned[] => {
      const known = this.#lookUp(text, now);
      return known ? [{ ...known, leadMs: this.#lead(`${owner} ${text}`, known, refills, now) }] : [];
    });
    const { active, nextAt } = activeAt(planned, now);
    this.#nextAt = Math.min(this.#nextAt, nextAt ?? Number.POSITIVE_INFINITY);
    return active;
  }

  /** Milliseconds until the next change of what was asked for; null: none is in sight. */
  dueInMs(): number | null {
    const ms = this.#nextAt - this.#wall();
    return Number.isFinite(ms) ? Math.max(1, Math.ceil(ms)) : null;
  }

  /** The changes that have come are found anew by the next questions, and all of them by those after a clock was set back. */
  #now(): number {
    const now = this.#wall();
    if (now >= this.#nextAt || now < this.#askedAt) this.#nextAt = Number.POSITIVE_INFINITY;
    this.#askedAt = now;
    return now;
  }

  #lookUp(text: string, now: number): Known | null {
    const known = this.#known.get(text);
    if (known && now >= known.since && now < endOf(known)) return known;
    const schedule = known?.schedule ?? parseSchedule(text);
    // It was checked when it was set.
    if (typeof schedule === "string") return null;
    const found = { schedule, since: now, window: windowAfter(schedule, now) };
    bound(this.#known, MOST_WINDOWS);
    this.#known.set(text, found);
    return found;
  }

  #lead(key: string, { schedule, window }: Known, refills: Refills, now: number): number {
    const lead = leadOf(refills, schedule.instances);
    if (!window || now >= window.from) {
      this.#ahead.delete(key);
      return lead;
    }
    if (this.#ahead.get(key) === window.from) return LONGEST_LEAD_MS;
    if (now < window.from - lead) return lead;
    bound(this.#ahead, MOST_AHEAD);
    this.#ahead.set(key, window.from);
    return lead;
  }
}

/** Until when a looked-up window holds. One without an end in sight is looked up again after a day, as one that is not found. */
function endOf({ since, window }: Known): number {
  return window?.until ?? since + 86_400_000;
}

/** Makes room for one more entry: the one that was set first goes. */
function bound(map: Map<string, unknown>, most: number): void {
  if (map.size < most) return;
  const [first] = map.keys();
  if (first !== undefined) map.delete(first);
}
