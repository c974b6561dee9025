/** Time after its drain deadline at which an instance is deleted, whatever its state. */
const MARGIN_MS = 250;

/** Time before a failed drain is retried. */
const DRAIN_PAUSE_MS = 1000;

/** Backoff of a failed deletion: it doubles between these bounds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

interface Leaving {
  deadline: number;
  failures: number;
  /** `refused`: the drain failed; the instance is unchanged and may stay. */
  drain: "none" | "asked" | "accepted" | "refused";
  /** When a failed drain may be retried. */
  drainAgainAt: number;
  /** `taken`: the platform has accepted the deletion, and shows or will show the instance as being removed. */
  deletion: "due" | "sent" | "taken";
}

/**
 * Instances being removed: drained first, then deleted, each with retries. Until a drain is accepted, the instance is
 * unchanged: its removal proceeds only as long as each decision repeats it.
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

  /** The drain was accepted: its full time begins now. */
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

  /** The next step for an instance whose drain failed and whose removal is decided anew; null if none is due yet. */
  next(uid: string, isGone: boolean, now: number): "drain" | "delete" | null {
    const leaving = this.#leaving.get(uid);
    if (leaving?.drain !== "refused") return null;
    if (isGone || leaving.deadline <= now) return "delete";
    return leaving.drainAgainAt <= now ? "drain" : null;
  }

  /** Keeps, and returns, the instances whose drain failed and whose removal is no longer decided. */
  takeBack(decided: ReadonlySet<string>): string[] {
    const kept = [...this.#leaving.keys()].filter((uid) => this.isRefused(uid) && !decided.has(uid));
    for (const uid of kept) this.#leaving.delete(uid);
    return kept;
  }

  has(uid: string): boolean {
    return this.#leaving.has(uid);
  }

  /** Instances to delete now: drained (`isGone`), past their deadline, or past the backoff of a failed deletion. */
  due(isGone: (uid: string) => boolean, now: number): string[] {
    const isDue = ([uid, { deletion, deadline, failures, drain }]: [string, Leaving]) =>
      deletion === "due" && drain !== "refused" && (deadline <= now || (failures === 0 && isGone(uid)));
    return [...this.#leaving].filter(isDue).map(([uid]) => uid);
  }

  sent(uid: string): void {
    this.#set(uid, "sent");
    const leaving = this.#leaving.get(uid);
    // The platform may have accepted the deletion whatever it answers, so the removal can no longer be taken back.
    if (leaving) leaving.drain = "none";
  }

  taken(uid: string): void {
    this.#set(uid, "taken");
  }

  /** Returns the backoff in milliseconds. */
  failed(uid: string, now: number): number {
    const leaving = this.#leaving.get(uid);
    if (!leaving) return 0;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** leaving.failures, LONGEST_PAUSE_MS);
    this.#leaving.set(uid, { ...leaving, deletion: "due", failures: leaving.failures + 1, deadline: now + pauseMs });
    return pauseMs;
  }

  /** Forgets instances that no longer exist; retries a deletion that the platform no longer shows. */
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

/** Recent disruptive actions, by pool. */
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
