import type { LoadError } from "../../runtime-images/protocol/messages.ts";

/** A crash within this time of the load is one that the code brings about by itself. Milliseconds. */
const SOON_MS = 60_000;
/** An instance that has served for so long has shown that its code runs; so has a revision that has not crashed for so long. Milliseconds. */
const WELL_MS = 600_000;
/** The second crash in a row has this delay; each further one doubles it. Milliseconds. */
const FIRST_DELAY_MS = 10_000;
const LONGEST_DELAY_MS = 300_000;

export interface CrashLoop {
  error: LoadError;
  instanceUid: string;
  /** Crashes soon after a load, in a row: those of instances that were loaded before the last one are the same round. */
  crashes: number;
  /** When the last one was. */
  at: number;
  /** No instance is started before; not above `at`: at once. */
  until: number;
}

/** An instance that has crashed. */
export interface Crashed {
  instanceUid: string;
  /** When its code had loaded; null: it served already when this pool manager came, for as long as nobody knows. */
  loadedAt: number | null;
  error: LoadError;
}

/**
 * Revisions whose instances crash soon after they have loaded, as Kubernetes' CrashLoopBackOff has it: the first one is
 * replaced at once, since a single invocation may have been the reason; further ones after a delay that doubles, from
 * 10 s to 5 min. After 10 min without a crash the count begins again. `now` in milliseconds.
 */
export class CrashLoops {
  readonly #loops = new Map<string, CrashLoop>();

  /** The loop that this crash is part of; null: it delays nothing further. */
  crashed(key: string, { instanceUid, loadedAt, error }: Crashed, now: number): CrashLoop | null {
    const ranMs = loadedAt === null ? Number.POSITIVE_INFINITY : now - loadedAt;
    if (ranMs >= WELL_MS) this.#loops.delete(key);
    if (ranMs >= SOON_MS || loadedAt === null) return null;
    const known = this.#loops.get(key);
    if (known && loadedAt <= known.at) return null;
    const isOver = known === undefined || now - Math.max(known.at, known.until) >= WELL_MS;
    const crashes = isOver ? 1 : known.crashes + 1;
    const delay = crashes === 1 ? 0 : Math.min(FIRST_DELAY_MS * 2 ** (crashes - 2), LONGEST_DELAY_MS);
    const loop = { error, instanceUid, crashes, at: now, until: now + delay };
    this.#loops.set(key, loop);
    return delay > 0 ? loop : null;
  }

  /** The loop whose delay is not over; null: instances may be started. */
  current(key: string, now: number): CrashLoop | null {
    const loop = this.#loops.get(key);
    return loop && loop.until > now ? loop : null;
  }

  get isEmpty(): boolean {
    return this.#loops.size === 0;
  }

  retain(isKept: (key: string) => boolean): void {
    for (const key of this.#loops.keys()) if (!isKept(key)) this.#loops.delete(key);
  }
}
