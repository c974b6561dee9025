/** What may be removed once nothing needs it. */
export type CollectedKind = "function" | "secret" | "image" | "layer" | "blob";

/** How it is known that a function is over: its deletion was seen, or nothing has referred to it for the whole retention. */
export type FunctionEnd = "deleted" | "unused";

export interface RetentionLimits {
  /** Code whose end was seen stays this long: the same manifest may be applied again. Milliseconds. */
  graceMs: number;
  /** What nothing refers to, with no evidence that it was given up, stays this long from when this process first saw it. Milliseconds. */
  unusedMs: number;
  /** Most removals within a minute. */
  perMinute: number;
}

const RETENTION: RetentionLimits = { graceMs: 600_000, unusedMs: 86_400_000, perMinute: 20 };
const MINUTE_MS = 60_000;

/** What removes things asks before each one, and tells. */
export interface Collector {
  /** Why this, which nothing refers to, may be removed now; null: it stays, for the present at least. */
  mayGo(kind: CollectedKind, id: string): string | null;
  gone(kind: CollectedKind, id: string, reason: string): void;
  /** The end of these was seen. */
  end(ids: Iterable<string>, reason: string): void;
}

/** What nobody has asked about for this long is forgotten: it is not there any more. */
const FORGET_MS = 7_200_000;
/** Ends that are remembered. */
const MAX_ENDS = 50_000;

/** Kinds that go with their function at once: no manifest that is applied again needs them. */
const AT_ONCE: ReadonlySet<CollectedKind> = new Set(["function", "secret"]);

/**
 * Which things that nothing refers to may go. That they are not referred to proves nothing: a listing may be incomplete,
 * a resource may come back from a backup. So either their end was seen by this process, or they have been unused for the
 * whole retention; and only some go in each minute.
 */
export class Retention {
  readonly #now: () => number;
  readonly #limits: RetentionLimits;
  readonly #ends = new Map<string, { at: number; reason: string }>();
  readonly #unused = new Map<string, { since: number; askedAt: number }>();
  #minute = Number.NEGATIVE_INFINITY;
  #removals = 0;

  constructor(limits: Partial<RetentionLimits> = {}, now: () => number = () => performance.now()) {
    this.#limits = { ...RETENTION, ...limits };
    this.#now = now;
  }

  /** The end of these was seen: uids of functions, digests of images and layers. */
  end(ids: Iterable<string>, reason: string): void {
    for (const id of ids) this.#ends.set(keyOf(id), { at: this.#now(), reason });
    for (const oldest of this.#ends.keys()) {
      if (this.#ends.size <= MAX_ENDS) break;
      this.#ends.delete(oldest);
    }
  }

  /** Begins another sweep; what is needed counts as never given up. */
  sweep(needed: Iterable<string>): void {
    for (const id of needed) {
      this.#ends.delete(keyOf(id));
      this.#unused.delete(keyOf(id));
    }
    const now = this.#now();
    for (const [id, { askedAt }] of this.#unused) if (now - askedAt > FORGET_MS) this.#unused.delete(id);
    for (const [id, { at }] of this.#ends) if (now - at > FORGET_MS + this.#limits.graceMs) this.#ends.delete(id);
  }

  /** Why a function that is not known is over for good, so that its instances may end; null: nothing says so. */
  endOf(uid: string): FunctionEnd | null {
    if (this.#reason("function", uid) === null) return null;
    return this.#ends.has(keyOf(uid)) ? "deleted" : "unused";
  }

  isOver(uid: string): boolean {
    return this.endOf(uid) !== null;
  }

  /** Why this, which nothing refers to, may be removed now; null: it stays, for the present at least. */
  mayGo(kind: CollectedKind, id: string): string | null {
    const reason = this.#reason(kind, id);
    if (reason === null) return null;
    if (AT_ONCE.has(kind) && this.#ends.has(keyOf(id))) return reason;
    return this.#withinBudget() ? reason : null;
  }

  #withinBudget(): boolean {
    const now = this.#now();
    if (now - this.#minute >= MINUTE_MS) {
      this.#minute = now;
      this.#removals = 0;
    }
    this.#removals += 1;
    return this.#removals <= this.#limits.perMinute;
  }

  #reason(kind: CollectedKind, id: string): string | null {
    const now = this.#now();
    const { graceMs, unusedMs } = this.#limits;
    const end = this.#ends.get(keyOf(id));
    if (end) return now - end.at >= (AT_ONCE.has(kind) ? 0 : graceMs) ? end.reason : null;
    const known = this.#unused.get(keyOf(id)) ?? { since: now, askedAt: now };
    this.#unused.set(keyOf(id), { since: known.since, askedAt: now });
    return now - known.since >= unusedMs ? `nothing has referred to it for ${Math.round(unusedMs / 1000)} s` : null;
  }
}

/** Images are known by their digest and by a tag that is made of it, layers by the name of a directory. */
function keyOf(id: string): string {
  return id.replace(/^sha256[:-]/, "").slice(0, 40);
}
