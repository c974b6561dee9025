import { KubeError } from "../../../kubernetes/error.ts";
import { MAX_RETRY_AFTER_MS, outlookOf, pause } from "../../../kubernetes/retry.ts";
import { CHECK_INTERVAL_MS, type Holder, holderOf, LEASE, type Lease, type LeaseClient, MAX_TERM, termOf, URL_ANNOTATION } from "./lease.ts";
import { LeaseWatch } from "./lease-watch.ts";

/** Refusals that last this long are meant. */
const REFUSED_MS = 10_000;
/** No term is left: everything is read again after this, within which a Lease counts as watched. */
const USED_UP_MS = 2000;
/** Answers that are missing for this long are told. */
const SILENT_MS = 3000;

export interface CandidateOptions {
  /** The highest term that anything in the namespace carries. */
  highestTerm(): Promise<number>;
  /** Nobody can have led this namespace yet: a Lease without a holder is nobody's. */
  isFirst(): boolean;
  /** Told whom it waits for, and the address of that one's manage API; null: nobody leads. */
  onLeader(holder: string | null, url: string | null): void;
  /** Told once what keeps it from leading, and null when that is over. */
  onTrouble(message: string | null): void;
  /** Who waits no longer is never to lead. */
  stop: AbortSignal;
}

/** A Lease that was taken. */
export interface AcquiredLease {
  lease: Lease;
  term: number;
  /** When that was sent, by the clock of `performance.now`. */
  sentAt: number;
}

/** Waits until the Lease is free, and takes it in a term above every one that was ever seen. */
export class Candidate {
  readonly #client: LeaseClient;
  readonly #holder: Holder;
  readonly #options: CandidateOptions;
  readonly #watch = new LeaseWatch();
  /** The highest term that was seen and that another one can follow. */
  #seen = 0;
  /** The term of a take whose answer was lost: it may have been done. 0: none. */
  #unanswered = 0;
  #refusedSince: number | null = null;
  #silentSince: number | null = null;
  #isTold = false;

  constructor(client: LeaseClient, holder: Holder, options: CandidateOptions) {
    this.#client = client;
    this.#holder = holder;
    this.#options = options;
  }

  /** Rejects where the API server keeps refusing to show the Lease or to change it, and with the reason of `stop`. */
  async take(): Promise<AcquiredLease> {
    const { stop } = this.#options;
    for (;;) {
      stop.throwIfAborted();
      let pauseMs = CHECK_INTERVAL_MS;
      try {
        const taken = await this.#check();
        if (taken) return taken;
      } catch (error) {
        stop.throwIfAborted();
        pauseMs = this.#failed(error);
      }
      await pause(pauseMs, stop);
    }
  }

  async #check(): Promise<AcquiredLease | null> {
    const lease = await this.#client.obtain(this.#seen);
    this.#saw(termOf(lease));
    const taken = this.#isFree(lease) ? await this.#claim(lease) : null;
    this.#answered();
    if (!taken) this.#options.onLeader(holderOf(lease) || null, lease.metadata.annotations?.[URL_ANNOTATION] ?? null);
    return taken;
  }

  #isFree(lease: Lease): boolean {
    if (this.#watch.isFree(lease, performance.now())) return true;
    if (holderOf(lease) === "") return this.#options.isFirst();
    return this.#unanswered > 0 && holderOf(lease) === this.#holder.identity && termOf(lease) === this.#unanswered;
  }

  /** Null: somebody else was faster. */
  async #claim(lease: Lease): Promise<AcquiredLease | null> {
    const carried = await this.#options.highestTerm();
    this.#options.stop.throwIfAborted();
    this.#saw(carried);
    if (Math.max(carried, termOf(lease), this.#unanswered) >= MAX_TERM) throw this.#noneAbove(carried);
    const term = Math.max(this.#seen, this.#unanswered) + 1;
    const sentAt = performance.now();
    try {
      return { lease: await this.#client.hold(lease, this.#holder, term), term, sentAt };
    } catch (error) {
      const { status } = error as KubeError;
      if (status === 409 || status === 404) return null;
      // Somebody may undo it if it was done: the term is not used again.
      if (outlookOf(error) === "passing") this.#unanswered = term;
      throw error;
    }
  }

  /** The last term is not kept in mind: somebody who has typed it can take it back. */
  #saw(term: number): void {
    if (term < MAX_TERM) this.#seen = Math.max(this.#seen, term);
  }

  /** Passes when somebody takes it back. */
  #noneAbove(carried: number): KubeError {
    const where = carried >= MAX_TERM ? "a pod, CloneSet, Function or Pool" : `the Lease ${LEASE}`;
    const message = `${where} of namespace ${this.#client.namespace} carries the last term, ${MAX_TERM}, and nobody can lead in a later one: somebody has typed it; set it to the term before it`;
    return new KubeError(0, "NoTermLeft", message, USED_UP_MS);
  }

  #answered(): void {
    this.#refusedSince = null;
    this.#silentSince = null;
    if (this.#isTold) this.#options.onTrouble(null);
    this.#isTold = false;
  }

  /** Returns when to try again, or throws what will not pass. */
  #failed(error: unknown): number {
    if (!(error instanceof KubeError)) throw error;
    const now = performance.now();
    if (outlookOf(error) === "passing") this.#refusedSince = null;
    else this.#refusedSince ??= now;
    if (this.#refusedSince !== null && now - this.#refusedSince >= REFUSED_MS) throw error;
    this.#silentSince ??= now;
    if (now - this.#silentSince >= SILENT_MS && !this.#isTold) {
      this.#isTold = true;
      this.#options.onTrouble(error.message);
    }
    return Math.max(CHECK_INTERVAL_MS, Math.min(error.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS));
  }
}
