/** What the platform was asked to do; `start`: what it has created ends before it has said a word; `rollout`: the store, to keep how far one has got. */
export type PlatformAction = "scale" | "start" | "bind" | "drain" | "remove" | "rollout";

/** An action that has failed, and has not succeeded since. */
export interface Incident {
  action: PlatformAction;
  pool: string;
  /** Function whose instance it was for (uid); null: the pool itself. */
  functionUid: string | null;
  /** Code of the platform's error. */
  reason: string;
  /** In the platform's words. */
  message: string;
  /** Failed tries since it last succeeded. */
  failures: number;
  /** When the first of them failed. Milliseconds. */
  since: number;
}

type Subject = Pick<Incident, "action" | "pool" | "functionUid">;

/** Races that the next observation settles: they are an incident only when they go on. */
const RACES: ReadonlySet<string> = new Set(["CONFLICT", "NOT_FOUND"]);
const RACES_IN_A_ROW = 8;
const MAX_INCIDENTS = 1000;
/** An action that has not failed again for this long is not tried any more: its instance went another way. */
const OVER_AFTER_MS = 60_000;

/** Actions that fail, each told when it begins, when its reason changes, and when it has succeeded again. */
export class Incidents {
  readonly #incidents = new Map<string, Incident & { told: boolean; lastAt: number }>();

  /** Counts a failed try; true: it is to be told. */
  failed(subject: Subject, reason: string, message: string, now: number): boolean {
    const key = keyOf(subject);
    const known = this.#incidents.get(key);
    const failures = (known?.failures ?? 0) + 1;
    const changed = known?.reason !== reason || !known.told;
    const tell = changed && (!RACES.has(reason) || failures >= RACES_IN_A_ROW);
    this.#incidents.delete(key);
    this.#incidents.set(key, { ...subject, reason, message, failures, since: known?.since ?? now, told: tell || (known?.told ?? false), lastAt: now });
    for (const oldest of this.#incidents.keys()) {
      if (this.#incidents.size <= MAX_INCIDENTS) break;
      this.#incidents.delete(oldest);
    }
    return tell;
  }

  /** Failed tries of this action in a row. */
  failures(subject: Subject): number {
    return this.#incidents.get(keyOf(subject))?.failures ?? 0;
  }

  /** The incident that this ends; null: there was none that had been told. */
  succeeded(subject: Subject): Incident | null {
    const key = keyOf(subject);
    const known = this.#incidents.get(key);
    this.#incidents.delete(key);
    return known?.told ? known : null;
  }

  /** What is in the way in a pool, the longest first. */
  of(pool: string): Incident[] {
    return [...this.#incidents.values()].filter((incident) => incident.told && incident.pool === pool).sort((a, b) => a.since - b.since);
  }

  /** What is in a function's way, the longest first. */
  ofFunction(functionUid: string): Incident[] {
    return [...this.#incidents.values()].filter((incident) => incident.told && incident.functionUid === functionUid).sort((a, b) => a.since - b.since);
  }

  /** Drops what nobody tries any more: pauses between tries are shorter than this. */
  expire(now: number): void {
    for (const [key, { lastAt }] of this.#incidents) if (now - lastAt > OVER_AFTER_MS) this.#incidents.delete(key);
  }

  /** A function was deleted: nobody tries for it any more. */
  forget(functionUid: string): void {
    for (const [key, incident] of this.#incidents) if (incident.functionUid === functionUid) this.#incidents.delete(key);
  }
}

function keyOf({ action, pool, functionUid }: Subject): string {
  return `${action} ${pool} ${functionUid ?? ""}`;
}
