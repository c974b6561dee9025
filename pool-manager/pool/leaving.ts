/** Beyond its drain deadline an instance is deleted, whatever it says. Milliseconds. */
const MARGIN_MS = 250;

/** A deletion that failed is asked again after a pause that doubles. Milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

interface Leaving {
  deadline: number;
  failures: number;
  /** `taken`: the platform has shown, or will show, the instance as being removed. */
  deletion: "due" | "sent" | "taken";
}

/** Instances that are on their way out: first drained, then deleted, and asked again where that failed. */
export class LeavingInstances {
  readonly #leaving = new Map<string, Leaving>();

  add(uid: string, drainMs: number, now: number): void {
    if (!this.#leaving.has(uid)) this.#leaving.set(uid, { deadline: drainMs > 0 ? now + drainMs + MARGIN_MS : now, failures: 0, deletion: "due" });
  }

  has(uid: string): boolean {
    return this.#leaving.has(uid);
  }

  /** Those to delete now: drained (`isGone`) or past their deadline; where that failed, past its pause. */
  due(isGone: (uid: string) => boolean, now: number): string[] {
    const isDue = ([uid, { deletion, deadline, failures }]: [string, Leaving]) => deletion === "due" && (deadline <= now || (failures === 0 && isGone(uid)));
    return [...this.#leaving].filter(isDue).map(([uid]) => uid);
  }

  sent(uid: string): void {
    this.#set(uid, "sent");
  }

  taken(uid: string): void {
    this.#set(uid, "taken");
  }

  /** Returns the milliseconds after which it is asked again. */
  failed(uid: string, now: number): number {
    const leaving = this.#leaving.get(uid);
    if (!leaving) return 0;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** leaving.failures, LONGEST_PAUSE_MS);
    this.#leaving.set(uid, { deletion: "due", failures: leaving.failures + 1, deadline: now + pauseMs });
    return pauseMs;
  }

  /** Forgets what no longer exists; a deletion that the platform no longer shows was lost, and is sent again. */
  observe(instances: ReadonlyMap<string, { removing: boolean }>): void {
    for (const [uid, leaving] of this.#leaving) {
      const instance = instances.get(uid);
      if (!instance) this.#leaving.delete(uid);
      else if (leaving.deletion === "taken" && !instance.removing) leaving.deletion = "due";
    }
  }

  #set(uid: string, deletion: Leaving["deletion"]): void {
    const leaving = this.#leaving.get(uid);
    if (leaving) leaving.deletion = deletion;
  }
}

/** Disruptive actions of the recent past, by pool. */
export class Disruptions {
  readonly #times = new Map<string, number[]>();

  record(pool: string, now: number): void {
    this.#times.set(pool, [...(this.#times.get(pool) ?? []), now]);
  }

  count(pool: string, windowMs: number, now: number): number {
    const recent = (this.#times.get(pool) ?? []).filter((at) => now - at < windowMs);
    this.#times.set(pool, recent);
    return recent.length;
  }
}
