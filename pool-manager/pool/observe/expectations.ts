/** A write that is not observed within this time counts as lost. */
const EXPIRY_MS = 5000;

interface Claim {
  functionUid: string;
  revision: string;
  epoch: number;
  at: number;
}

/**
 * The pool manager's own writes, kept until they are observed (as in Kubernetes controllers), so that a decision
 * in between does not repeat them.
 */
export class Expectations {
  readonly #creations = new Map<string, number[]>();
  readonly #seen = new Set<string>();
  readonly #claims = new Map<string, Claim>();

  /** Records that `count` instances were requested. */
  expectCreations(pool: string, count: number, now: number): void {
    const pending = this.#creations.get(pool) ?? [];
    for (let i = 0; i < count; i++) pending.push(now);
    this.#creations.set(pool, pending);
  }

  /** Takes back the expectation of a request that failed. */
  creationFailed(pool: string, count: number): void {
    this.#creations.get(pool)?.splice(0, count);
  }

  expectClaim(uid: string, claim: Omit<Claim, "at">, now: number): void {
    this.#claims.set(uid, { ...claim, at: now });
  }

  claimSettled(uid: string): void {
    this.#claims.delete(uid);
  }

  /** Compares with the observation, by uid, and drops what is observed or expired. */
  observe(instances: ReadonlyMap<string, { pool: string }>, now: number): void {
    for (const [uid, { pool }] of instances) {
      if (this.#seen.has(uid)) continue;
      this.#seen.add(uid);
      this.#creations.get(pool)?.shift();
    }
    for (const uid of this.#seen) if (!instances.has(uid)) this.#forget(uid);
    for (const [pool, pending] of this.#creations) {
      this.#creations.set(
        pool,
        pending.filter((at) => now - at < EXPIRY_MS),
      );
    }
    for (const [uid, claim] of this.#claims) if (now - claim.at >= EXPIRY_MS) this.#claims.delete(uid);
  }

  creations(): Map<string, number> {
    return new Map([...this.#creations].map(([pool, pending]) => [pool, pending.length]));
  }

  claim(uid: string): Claim | undefined {
    return this.#claims.get(uid);
  }

  #forget(uid: string): void {
    this.#seen.delete(uid);
    this.#claims.delete(uid);
  }
}
