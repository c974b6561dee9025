import { BoundedMap } from "../collections/bounded.ts";
/** Kinds of objects that are removed once nothing references them. */
export type CollectedKind = "function" | "secret" | "image" | "layer" | "blob";

/** Evidence that a function no longer exists: its deletion was observed, or nothing has referenced it for the whole retention. */
export type FunctionEnd = "deleted" | "unused";

export interface RetentionLimits {
  /** How long code is kept after its end was observed, since the same manifest may be applied again. */
  graceMs: number;
  /** How long an unreferenced object without an observed end is kept, from when this process first saw it. */
  unusedMs: number;
  /** Maximum number of removals per minute. */
  perMinute: number;
}

const RETENTION: RetentionLimits = { graceMs: 600_000, unusedMs: 86_400_000, perMinute: 20 };
const MINUTE_MS = 60_000;

/** Permits and records each removal of a garbage collection. */
export interface Collector {
  /** Why this unreferenced object may be removed now; null if it must stay for now. */
  mayGo(kind: CollectedKind, id: string): string | null;
  gone(kind: CollectedKind, id: string, reason: string): void;
  /** Records the observed end of objects. */
  end(ids: Iterable<string>, reason: string): void;
}

/** Time without an inquiry after which an object is forgotten, since it no longer exists. */
const FORGET_MS = 7_200_000;
/** Maximum number of ends that are remembered. */
const MAX_ENDS = 50_000;

/** Kinds without a grace period: a manifest that is applied again does not need them. */
const AT_ONCE: ReadonlySet<CollectedKind> = new Set(["function", "secret"]);

/**
 * Decides which unreferenced objects may be removed. A missing reference proves nothing: a listing may be incomplete,
 * and a resource may be restored from a backup. So either this process observed the object's end, or the object has been
 * unused for the whole retention; and the removals per minute are limited.
 */
export class Retention {
  readonly #now: () => number;
  readonly #limits: RetentionLimits;
  readonly #ends = new BoundedMap<string, { at: number; reason: string }>(MAX_ENDS);
  readonly #unused = new Map<string, { since: number; askedAt: number }>();
  #minute = Number.NEGATIVE_INFINITY;
  #removals = 0;

  constructor(limits: Partial<RetentionLimits> = {}, now: () => number = () => performance.now()) {
    this.#limits = { ...RETENTION, ...limits };
    this.#now = now;
  }

  /** Records the observed end of objects: uids of functions, digests of images and layers. */
  end(ids: Iterable<string>, reason: string): void {
    for (const id of ids) this.#ends.set(keyOf(id), { at: this.#now(), reason });
  }

  /** Begins a sweep; clears the recorded ends of needed objects. */
  sweep(needed: Iterable<string>): void {
    for (const id of needed) {
      this.#ends.delete(keyOf(id));
      this.#unused.delete(keyOf(id));
    }
    const now = this.#now();
    for (const [id, { askedAt }] of this.#unused) if (now - askedAt > FORGET_MS) this.#unused.delete(id);
    for (const [id, { at }] of this.#ends) if (now - at > FORGET_MS + this.#limits.graceMs) this.#ends.delete(id);
  }

  /** Evidence that an unknown function no longer exists, so that its instances may be removed; null if there is none. */
  endOf(uid: string): FunctionEnd | null {
    if (this.#reason("function", uid) === null) return null;
    return this.#ends.has(keyOf(uid)) ? "deleted" : "unused";
  }

  isOver(uid: string): boolean {
    return this.endOf(uid) !== null;
  }

  /** Why this unreferenced object may be removed now; null if it must stay for now. */
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

/** Normalizes an id: an image may be named by its digest or by a tag derived from it, a layer by its directory. */
function keyOf(id: string): string {
  return id.replace(/^sha256[:-]/, "").slice(0, 40);
}
