import { KubeError } from "./kube-error.ts";
import { type Holder, holderOf, type Lease, type LeaseClient, LOOK_EVERY_MS, termOf, URL_ANNOTATION } from "./lease.ts";
import { LeaseWatch } from "./lease-watch.ts";
import { MAX_RETRY_AFTER_MS, pause, prospectOf } from "./patience.ts";

/** Refusals that last this long are meant. Milliseconds. */
const REFUSED_MS = 10_000;
/** Answers that are missing for this long are told. Milliseconds. */
const SILENT_MS = 3000;

export interface CandidateOptions {
  /** The highest term that anything in the namespace carries. */
  highestTerm(): Promise<number>;
  /** Nobody can have led this namespace yet: a Lease that is missing is nobody's. */
  isFirst(): boolean;
  /** Told whom it waits for, and the address of that one's manage API; null: nobody leads. */
  onLeader(holder: string | null, url: string | null): void;
  /** Told once what keeps it from leading, and null when that is over. */
  onTrouble(message: string | null): void;
  /** Who waits no longer is never to lead. */
  stop: AbortSignal;
}

/** A Lease that was taken. */
export interface Taken {
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
  /** The highest term that was seen, or that may have been taken. */
  #highest = 0;
  #refusedSince: number | null = null;
  #silentSince: number | null = null;
  #isTold = false;

  constructor(client: LeaseClient, holder: Holder, options: CandidateOptions) {
    this.#client = client;
    this.#holder = holder;
    this.#options = options;
  }

  /** Rejects where the API server keeps refusing to show the Lease or to change it, and with the reason of `stop`. */
  async take(): Promise<Taken> {
    const { stop } = this.#options;
    for (;;) {
      stop.throwIfAborted();
      let pauseMs = LOOK_EVERY_MS;
      try {
        const taken = await this.#look();
        if (taken) return taken;
      } catch (error) {
        stop.throwIfAborted();
        pauseMs = this.#failed(error);
      }
      await pause(pauseMs, stop);
    }
  }

  async #look(): Promise<Taken | null> {
    const lease = await this.#client.read();
    this.#highest = Math.max(this.#highest, termOf(lease));
    // A Lease in the own name was taken by a request whose answer was lost.
    const isFree = this.#watch.isFree(lease, performance.now()) || holderOf(lease) === this.#holder.identity;
    const taken = isFree || (!lease && this.#options.isFirst()) ? await this.#claim(lease, isFree) : null;
    this.#answered();
    if (lease && !taken) this.#options.onLeader(holderOf(lease) || null, lease.metadata.annotations?.[URL_ANNOTATION] ?? null);
    return taken;
  }

  /** Null: somebody else was faster. */
  async #claim(lease: Lease | null, isFree: boolean): Promise<Taken | null> {
    const { highestTerm, isFirst, stop } = this.#options;
    this.#highest = Math.max(this.#highest, await highestTerm());
    stop.throwIfAborted();
    if (!isFree && !isFirst()) return null;
    const term = this.#highest + 1;
    const sentAt = performance.now();
    try {
      return { lease: await this.#client.hold(lease, this.#holder, term), term, sentAt };
    } catch (error) {
      if ((error as KubeError).status === 409) return null;
      // It may have been done all the same, and then be undone by somebody: the term is not used again.
      if (prospectOf(error) === "passing") this.#highest = term;
      throw error;
    }
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
    if (prospectOf(error) === "passing") this.#refusedSince = null;
    else this.#refusedSince ??= now;
    if (this.#refusedSince !== null && now - this.#refusedSince >= REFUSED_MS) throw error;
    this.#silentSince ??= now;
    if (now - this.#silentSince >= SILENT_MS && !this.#isTold) {
      this.#isTold = true;
      this.#options.onTrouble(error.message);
    }
    return Math.max(LOOK_EVERY_MS, Math.min(error.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS));
  }
}
