/** Beyond its drain deadline an instance is deleted, whatever it says. Milliseconds. */
const MARGIN_MS = 250;

interface Leaving {
  deadline: number;
  /** `taken`: the platform has shown, or will show, the instance as being removed. */
  deletion: "due" | "sent" | "taken";
}

/** Instances that are on their way out: first drained, then deleted, and asked again where that failed. */
export class LeavingInstances {
  readonly #leaving = new Map<string, Leaving>();

  add(uid: string, drainMs: number, now: number): void {
    if (!this.#leaving.has(uid)) this.#leaving.set(uid, { deadline: drainMs > 0 ? now + drainMs + MARGIN_MS : now, deletion: "due" });
  }

  has(uid: string): boolean {
    return this.#leaving.has(uid);
  }

  /** Those to delete now: drained (`isGone`) or past their deadline. */
  due(isGone: (uid: string) => boolean, now: number): string[] {
    return [...this.#leaving].filter(([uid, { deletion, deadline }]) => deletion === "due" && (isGone(uid) || deadline <= now)).map(([uid]) => uid);
  }

  sent(uid: string): void {
    this.#set(uid, "sent");
  }

  taken(uid: string): void {
    this.#set(uid, "taken");
  }

  failed(uid: string): void {
    this.#set(uid, "due");
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
