import { KubeError } from "../../../kubernetes/error.ts";
import { MAX_RETRY_AFTER_MS, outlookOf, pause } from "../../../kubernetes/retry.ts";
import { CHECK_INTERVAL_MS, type Holder, holderOf, LEASE, type Lease, type LeaseClient, MAX_TERM, termOf, URL_ANNOTATION } from "./lease.ts";
import { LeaseWatch } from "./lease-watch.ts";

/** After this long, refusals are final and end the wait. */
const REFUSED_MS = 10_000;
/** No term is left: everything is read again after this, within which a Lease counts as watched. */
const USED_UP_MS = 2000;
/** Answers that are missing for this long are told. */
const SILENT_MS = 3000;

export interface CandidateOptions {
  /** Reads the highest term that any object in the namespace carries. */
  highestTerm(): Promise<number>;
  /** Whether no pool manager can have led this namespace yet: a Lease without a holder is free then. */
  isFirst(): boolean;
  /** Reports the current leader and the URL of its manage API; null: there is none. */
  onLeader(holder: string | null, url: string | null): void;
  /** Reports once what prevents leading, and null when that is over. */
  onTrouble(message: string | null): void;
  /** Once this signal aborts, `take` rejects and never takes the Lease. */
  stop: AbortSignal;
}

export interface AcquiredLease {
  lease: Lease;
  term: number;
  /** When the write that took it was sent (`performance.now`). */
  sentAt: number;
}

/** Waits until the Lease is free, and takes it in a term above every term ever seen. */
export class Candidate {
  readonly #client: LeaseClient;
  readonly #holder: Holder;
  readonly #options: CandidateOptions;
  readonly #watch = new LeaseWatch();
  /** The highest term seen that another one can follow. */
  #seen = 0;
  /** The term of an attempt whose answer was lost: it may have succeeded. 0: none. */
  #unanswered = 0;
  #refusedSince: number | null = null;
  #silentSince: number | null = null;
  #isTold = false;

  constructor(client: LeaseClient, holder: Holder, options: CandidateOptions) {
    this.#client = client;
    this.#holder = holder;
    this.#options = options;
  }

  /** Rejects if the API server persistently refuses to read or write the Lease, and with the reason of `stop`. */
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

  /** Null: another writer was faster. */
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
      // The write may have succeeded and then been overwritten: its term is not reused.
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

  /** Returns the pause before the next attempt in milliseconds, or throws a final error. */
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
