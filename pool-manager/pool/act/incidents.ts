import { BoundedMap } from "../../collections/bounded.ts";
/** An action that can fail. `start`: created instances end before their first echo; `rollout`: the store does not accept a rollout's progress. */
export type PlatformAction = "scale" | "start" | "bind" | "drain" | "remove" | "rollout";

/** An action that fails, from its first failure to its next success. */
export interface Incident {
  action: PlatformAction;
  pool: string;
  /** Uid of the function that the action was for; null if it was for the pool. */
  functionUid: string | null;
  /** Code of the platform's error. */
  reason: string;
  /** Message of the platform's error. */
  message: string;
  /** Failures since the last success. */
  failures: number;
  /** When the first of these failures happened. */
  since: number;
}

type Subject = Pick<Incident, "action" | "pool" | "functionUid">;

/** Errors of races that the next observation resolves: an incident only after `RACES_IN_A_ROW` failures. */
const RACES: ReadonlySet<string> = new Set(["CONFLICT", "NOT_FOUND"]);
const RACES_IN_A_ROW = 8;
const MAX_INCIDENTS = 1000;
/** An incident without a further failure for this long is dropped: the action is no longer attempted. */
const OVER_AFTER_MS = 60_000;

/** Failing actions. Each is reported when it begins, when its reason changes, and when it succeeds. */
export class Incidents {
  readonly #incidents = new BoundedMap<string, Incident & { isReported: boolean; lastAt: number }>(MAX_INCIDENTS);

  /** Counts a failure; returns true if it must be reported. */
  failed(subject: Subject, reason: string, message: string, now: number): boolean {
    const key = keyOf(subject);
    const known = this.#incidents.get(key);
    const failures = (known?.failures ?? 0) + 1;
    const changed = known?.reason !== reason || !known.isReported;
    const mustReport = changed && (!RACES.has(reason) || failures >= RACES_IN_A_ROW);
    this.#incidents.set(key, {
      ...subject,
      reason,
      message,
      failures,
      since: known?.since ?? now,
      isReported: mustReport || (known?.isReported ?? false),
      lastAt: now,
    });
    return mustReport;
  }

  /** Consecutive failures of this action. */
  failures(subject: Subject): number {
    return this.#incidents.get(keyOf(subject))?.failures ?? 0;
  }

  /** Ends an incident and returns it; null if none had been reported. */
  succeeded(subject: Subject): Incident | null {
    const key = keyOf(subject);
    const known = this.#incidents.get(key);
    this.#incidents.delete(key);
    return known?.isReported ? known : null;
  }

  /** A pool's reported incidents, oldest first. */
  of(pool: string): Incident[] {
    return [...this.#incidents.values()].filter((incident) => incident.isReported && incident.pool === pool).sort((a, b) => a.since - b.since);
  }

  /** A function's reported incidents, oldest first. */
  ofFunction(functionUid: string): Incident[] {
    return [...this.#incidents.values()].filter((incident) => incident.isReported && incident.functionUid === functionUid).sort((a, b) => a.since - b.since);
  }

  /** Drops incidents of actions that are no longer attempted: every backoff is shorter than `OVER_AFTER_MS`. */
  expire(now: number): void {
    for (const [key, { lastAt }] of this.#incidents) if (now - lastAt > OVER_AFTER_MS) this.#incidents.delete(key);
  }

  /** Drops the incidents of a deleted function. */
  forget(functionUid: string): void {
    for (const [key, incident] of this.#incidents) if (incident.functionUid === functionUid) this.#incidents.delete(key);
  }
}

function keyOf({ action, pool, functionUid }: Subject): string {
  return `${action} ${pool} ${functionUid ?? ""}`;
}
