/** Beyond its drain deadline an instance is deleted, whatever it says. Milliseconds. */
const MARGIN_MS = 250;

interface Leaving {
  deadline: number;
  /** A deletion was sent and has not failed. */
  sent: boolean;
}

/** Instances that are on their way out: first drained, then deleted, and asked again where that failed. */
export class LeavingInstances {
  readonly #leaving = new Map<string, Leaving>();

  add(uid: string, drainMs: number, now: number): void {
    if (!this.#leaving.has(uid)) this.#leaving.set(uid, { deadline: drainMs > 0 ? now + drainMs + MARGIN_MS : now, sent: false });
  }

  has(uid: string): boolean {
    return this.#leaving.has(uid);
  }

  /** Those to delete now: drained (`isGone`) or past their deadline. */
  due(isGone: (uid: string) => boolean, now: number): string[] {
    return [...this.#leaving].filter(([uid, l]) => !l.sent && (isGone(uid) || l.deadline <= now)).map(([uid]) => uid);
  }

  sent(uid: string): void {
    const leaving = this.#leaving.get(uid);
    if (leaving) leaving.sent = true;
  }

  failed(uid: string): void {
    const leaving = this.#leaving.get(uid);
    if (leaving) leaving.sent = false;
  }

  /** Forgets what no longer exists. */
  observe(instances: ReadonlyMap<string, unknown>): void {
    for (const uid of this.#leaving.keys()) if (!instances.has(uid)) this.#leaving.delete(uid);
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
