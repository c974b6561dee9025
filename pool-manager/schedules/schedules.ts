import { BoundedMap } from "../collections/bounded.ts";
import { type ActiveSchedule, activeAt, describe, type Planned } from "./active.ts";
import { parseSchedule, type Schedule } from "./schedule.ts";
import { type Window, windowAfter } from "./window.ts";

/** Different schedules whose windows are kept, and owners. */
const MOST_WINDOWS = 20_000;
const MOST_OWNERS = 20_000;
/** An answer is found anew after this time at the latest: refill times change. */
const HOLDS_MS = 10_000;
/** Refills take this many times what they have taken on average. */
const LEAD_RESERVE = 1.5;
/** Nothing is kept longer than this before a window begins. */
const LONGEST_LEAD_MS = 600_000;

const DAY_MS = 86_400_000;

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
  /** The last report of this schedule, and the stage of its window then: each round of the reconciler asks, and a stage is reported once. */
  told: { stage: string; active: ActiveSchedule } | null;
}

/** The last answer to an owner: it holds from `at` on until `nextAt`, unless a refill takes longer than it did. */
interface Answer {
  texts: readonly string[];
  at: number;
  active: ActiveSchedule | null;
  nextAt: number;
  /** By text, the beginnings of windows for which instances are kept already: a refill time that is measured meanwhile does not take them back. */
  ahead: ReadonlyMap<string, number>;
}

type Candidate = Planned & { known: Known };

/** How long before a window its instances are ordered, so that they are ready when it begins. */
export function leadOf({ refillMs, refills }: Refills, instances: number): number {
  return Math.min(LONGEST_LEAD_MS, LEAD_RESERVE * refillMs * Math.ceil(instances / Math.max(1, refills)));
}

/** The schedules that are in force. They depend on the wall clock alone, and each question compares them with it: a clock that is set is followed at once. */
export class Schedules {
  readonly #wall: () => number;
  /** By text, which many owners may share: a window takes fifty times as long to find as an answer. Null: the text is no schedule. */
  readonly #known = new BoundedMap<string, Known | null>(MOST_WINDOWS);
  /** By owner: most rounds of the reconciler change nothing. */
  readonly #answers = new BoundedMap<string, Answer>(MOST_OWNERS);
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
    const last = this.#answers.get(owner);
    const holds = last?.texts === texts && now >= last.at && now < Math.min(last.nextAt, last.at + HOLDS_MS);
    const { active, nextAt } = holds ? last : this.#answer(owner, pool, texts, now);
    this.#nextAt = Math.min(this.#nextAt, nextAt);
    return active;
  }

  #answer(owner: string, pool: string, texts: readonly string[], now: number): Answer {
    const refills = this.#refillOf(pool);
    const before = this.#answers.get(owner)?.ahead;
    const ahead = new Map<string, number>();
    const planned = texts.flatMap((text): Candidate[] => {
      const known = this.#lookUp(text, now);
      if (!known) return [];
      const { schedule, window } = known;
      const lead = leadOf(refills, schedule.instances);
      const isKept = window !== null && now < window.from && before?.get(text) === window.from;
      if (isKept || (window && now < window.from && now >= window.from - lead)) ahead.set(text, window.from);
      return [{ schedule, window, known, leadMs: isKept ? LONGEST_LEAD_MS : lead }];
    });
    const { active, nextAt } = activeAt(planned, now);
    const answer = { texts, at: now, active: active && tell(active, now), nextAt: nextAt ?? Number.POSITIVE_INFINITY, ahead };
    this.#answers.set(owner, answer);
    return answer;
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
    if (known === null || (known && now >= known.since && now < endOf(known))) return known;
    const schedule = known?.schedule ?? parseSchedule(text);
    // A text was checked when it was set.
    const found = typeof schedule === "string" ? null : { schedule, since: now, window: windowAfter(schedule, now), told: null };
    this.#known.set(text, found);
    return found;
  }
}

/** In words; found anew when these change. */
function tell({ known, ...planned }: Candidate, now: number): ActiveSchedule {
  const { from, until } = planned.window as Window;
  const isAhead = now < from;
  const isFar = (isAhead ? from : (until ?? now)) - now >= DAY_MS;
  const stage = `${from} ${isAhead} ${isFar}`;
  if (known.told?.stage !== stage) known.told = { stage, active: describe(planned, now) };
  return known.told.active;
}

/** Until when a looked-up window holds. One without an end in sight is looked up again after a day, as one that is not found. */
function endOf({ since, window }: Known): number {
  return window?.until ?? since + DAY_MS;
}
