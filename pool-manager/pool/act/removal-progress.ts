/** Beyond its drain deadline an instance is deleted, whatever it says. */
const MARGIN_MS = 250;

/** A drain that was refused is asked again after this. */
const DRAIN_PAUSE_MS = 1000;

/** A deletion that failed is asked again after a pause that doubles. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

interface Leaving {
  deadline: number;
  failures: number;
  /** `refused`: nothing has been done to it yet, and it may stay as it is. */
  drain: "none" | "asked" | "accepted" | "refused";
  /** When a refused drain may be asked again. */
  drainAgainAt: number;
  /** `taken`: the platform has shown, or will show, the instance as being removed. */
  deletion: "due" | "sent" | "taken";
}

/**
 * Instances that are on their way out: first drained, then deleted, and asked again where that failed. As long as no drain
 * was accepted, nothing has happened to the instance: its removal goes on only while it is decided again and again.
 */
export class RemovalProgress {
  readonly #leaving = new Map<string, Leaving>();

  add(uid: string, drainMs: number, now: number): void {
    if (this.#leaving.has(uid)) return;
    const drains = drainMs > 0;
    const times = { deadline: drains ? now + drainMs + MARGIN_MS : now, drainAgainAt: now };
    this.#leaving.set(uid, { ...times, failures: 0, drain: drains ? "asked" : "none", deletion: "due" });
  }

  asked(uid: string): void {
    const leaving = this.#leaving.get(uid);
    if (leaving) leaving.drain = "asked";
  }

  /** It has its whole time from now on. */
  accepted(uid: string, drainMs: number, now: number): void {
    const leaving = this.#leaving.get(uid);
    if (leaving?.deletion !== "due" || leaving.failures > 0) return;
    leaving.drain = "accepted";
    leaving.deadline = now + drainMs + MARGIN_MS;
  }

  refused(uid: string, now: number): void {
    const leaving = this.#leaving.get(uid);
    if (leaving?.drain !== "asked" || leaving.deletion !== "due" || leaving.failures > 0) return;
    leaving.drain = "refused";
    leaving.drainAgainAt = now + DRAIN_PAUSE_MS;
  }

  isRefused(uid: string): boolean {
    return this.#leaving.get(uid)?.drain === "refused";
  }

  /** What is to be done with one whose drain was refused and whose removal is decided again; null: nothing yet. */
  next(uid: string, isGone: boolean, now: number): "drain" | "delete" | null {
    const leaving = this.#leaving.get(uid);
    if (leaving?.drain !== "refused") return null;
    if (isGone || leaving.deadline <= now) return "delete";
    return leaving.drainAgainAt <= now ? "drain" : null;
  }

  /** Those whose drain was refused and whose removal is not decided any more stay. Returns them. */
  takeBack(decided: ReadonlySet<string>): string[] {
    const kept = [...this.#leaving.keys()].filter((uid) => this.isRefused(uid) && !decided.has(uid));
    for (const uid of kept) this.#leaving.delete(uid);
    return kept;
  }

  has(uid: string): boolean {
    return this.#leaving.has(uid);
  }

  /** Those to delete now: drained (`isGone`) or past their deadline; where that failed, past its pause. */
  due(isGone: (uid: string) => boolean, now: number): string[] {
    const isDue = ([uid, { deletion, deadline, failures, drain }]: [string, Leaving]) =>
      deletion === "due" && drain !== "refused" && (deadline <= now || (failures === 0 && isGone(uid)));
    return [...this.#leaving].filter(isDue).map(([uid]) => uid);
  }

  sent(uid: string): void {
    this.#set(uid, "sent");
    const leaving = this.#leaving.get(uid);
    // Whoever asks for its deletion may have been heard, whatever the answer: it is not taken back any more.
    if (leaving) leaving.drain = "none";
  }

  taken(uid: string): void {
    this.#set(uid, "taken");
  }

  /** Returns the milliseconds after which it is asked again. */
  failed(uid: string, now: number): number {
    const leaving = this.#leaving.get(uid);
    if (!leaving) return 0;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** leaving.failures, LONGEST_PAUSE_MS);
    this.#leaving.set(uid, { ...leaving, deletion: "due", failures: leaving.failures + 1, deadline: now + pauseMs });
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
