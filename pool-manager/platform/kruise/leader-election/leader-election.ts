import type { KubeError } from "../../../kubernetes/error.ts";
import { type AcquiredLease, Candidate, type CandidateOptions } from "./candidate.ts";
import {
  CERTAIN_MS,
  CHECK_INTERVAL_MS,
  type Holder,
  holderOf,
  LEASE,
  type Lease,
  type LeaseApi,
  LeaseClient,
  MAX_TERM,
  RENEW_EVERY_MS,
  termOf,
} from "./lease.ts";
import { LeaseWatch } from "./lease-watch.ts";

/** A look at all terms reads every pod, CloneSet and resource: the next one comes after this. */
const CHALLENGE_EVERY_MS = 30_000;
/** Tries of one renewal: somebody may be editing the Lease. */
const ROUNDS = 3;

/** What a leadership is to the adapter. */
export interface Lead {
  term: number;
  /** False: another one might lead by now. */
  certain(): boolean;
  /** A write was refused since something carries a later term: where that is so, this leadership is over. */
  challenge(): void;
  release(): Promise<void>;
}

export interface LeaderElectionOptions extends CandidateOptions {
  kube: LeaseApi;
  /** Unique to this process. */
  holder: string;
  /** Address of its manage API. */
  url: string;
  /** Somebody else leads: nothing may be done any more. */
  onLost(message: string): void;
}

/** What is to be done with a Lease that is not as it was left. */
type Verdict = "renew" | "wait" | "lost";

/**
 * One of the pool managers of a namespace leads: it holds the Lease, whose transitions are the leadership terms. Times
 * are measured on the own monotonic clock alone, so that clocks that differ or jump do no harm.
 *
 * A leader that cannot renew does not step down: nobody can have taken the Lease while the API server is away, and its
 * load orders are fenced by the instances. It is in doubt, and neither writes nor ends anything until it has renewed.
 *
 * A Lease that was deleted or edited by hand is put right in the own term. Where somebody else might lead by it, the
 * leader first gives up its certainty and waits as long as everybody else has to.
 */
export class LeaderElection implements Lead {
  readonly term: number;
  readonly #options: LeaderElectionOptions;
  readonly #client: LeaseClient;
  readonly #holder: Holder;
  readonly #watch = new LeaseWatch();
  #lease: Lease;
  /** The Lease is not as it was left. */
  #isSuspect = false;
  #challengedAt = Number.NEGATIVE_INFINITY;
  #isChallenged = false;
  /** When the last successful renewal was sent, on the monotonic clock, and on the wall clock: that one goes on while the machine sleeps. */
  #renewedAt: { monotonic: number; wall: number };
  #renewing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  #isTold = false;
  #isLastTermTold = false;
  #over = false;

  private constructor(options: LeaderElectionOptions, client: LeaseClient, holder: Holder, { lease, term, sentAt }: AcquiredLease) {
    this.#options = options;
    this.#client = client;
    this.#holder = holder;
    this.#lease = lease;
    this.term = term;
    this.#renewedAt = { monotonic: sentAt, wall: Date.now() - (performance.now() - sentAt) };
    this.#again(RENEW_EVERY_MS);
  }

  /** Waits until the Lease is free, and takes it. Rejects where the API server refuses that, and with the reason of `stop`. */
  static async acquire(options: LeaderElectionOptions): Promise<LeaderElection> {
    const client = new LeaseClient(options.kube);
    const holder = { identity: options.holder, url: options.url };
    const leadership = new LeaderElection(options, client, holder, await new Candidate(client, holder, options).take());
    if (options.stop.aborted) {
      await leadership.release();
      options.stop.throwIfAborted();
    }
    return leadership;
  }

  /** Nobody else can lead yet. */
  readonly certain = (): boolean => {
    const { monotonic, wall } = this.#renewedAt;
    return !this.#over && Math.max(performance.now() - monotonic, Date.now() - wall) < CERTAIN_MS;
  };

  readonly challenge = (): void => {
    if (performance.now() - this.#challengedAt < CHALLENGE_EVERY_MS) return;
    this.#challengedAt = performance.now();
    this.#isChallenged = true;
  };

  /** Lets the next one take over at once. */
  async release(): Promise<void> {
    if (this.#over) return;
    this.#end();
    await this.#renewing;
    let lease = this.#lease;
    for (let round = 1; holderOf(lease) === this.#holder.identity && round <= ROUNDS; round++) {
      try {
        await this.#client.release(lease, this.term);
        return;
      } catch (error) {
        // Where it cannot be said, the next one waits until the Lease is old enough.
        if ((error as KubeError).status !== 409) return;
        const found = await this.#client.obtain(this.term).catch(() => null);
        if (!found) return;
        lease = found;
      }
    }
  }

  async #renew(): Promise<void> {
    let failure: string | null;
    try {
      failure = await this.#hold();
    } catch (error) {
      failure = (error as KubeError).message;
    }
    if (this.#over) return;
    this.#tell(failure);
    this.#again(failure === null ? RENEW_EVERY_MS : CHECK_INTERVAL_MS);
  }

  /** Null: renewed, or lost; else why not. */
  async #hold(): Promise<string | null> {
    if (await this.#isOutrun()) return this.#stepDown();
    for (let round = 1; round <= ROUNDS && !this.#over; round++) {
      const lease = this.#isSuspect ? await this.#client.obtain(this.term) : this.#lease;
      const verdict = await this.#judge(lease);
      if (verdict === "lost") return this.#lose(lease);
      if (verdict === "wait") return `the Lease ${LEASE} names ${holderOf(lease) || "nobody"} as its holder`;
      if (await this.#write(lease)) return null;
    }
    return `the Lease ${LEASE} keeps being changed by somebody`;
  }

  /** False: it is not as it was when it was read. */
  async #write(lease: Lease): Promise<boolean> {
    const sent = { monotonic: performance.now(), wall: Date.now() };
    try {
      this.#lease = await this.#client.hold(lease, this.#holder, this.term);
    } catch (error) {
      const { status } = error as KubeError;
      if (status !== 404 && status !== 409) throw error;
      this.#isSuspect = true;
      return false;
    }
    this.#isSuspect = false;
    this.#watch.forget();
    this.#renewedAt = sent;
    return true;
  }

  /**
   * | holder   | term      | certain | then                                                             |
   * | -------- | --------- | ------- | ---------------------------------------------------------------- |
   * | this one | any       | yes     | renew: somebody has edited the rest                               |
   * | none     | any       | yes     | renew: nobody can have taken it; it was emptied, or made anew     |
   * | other    | later     | any     | lost                                                             |
   * | none     | later     | no      | lost                                                             |
   * | this one | any       | no      | renew where nothing carries a later term, else lost               |
   * | none     | not later | no      | the same once everybody else may take it                          |
   * | other    | not later | any     | the same, without certainty until then; lost where it is renewed  |
   */
  async #judge(lease: Lease): Promise<Verdict> {
    if (!this.#isSuspect) return "renew";
    const holder = holderOf(lease);
    const isOwn = holder === this.#holder.identity;
    const isOther = holder !== "" && !isOwn;
    if (!isOther && this.certain()) return "renew";
    if (isOwn) return this.#unlessOutrun();
    if (termOf(lease) > this.term || (isOther && this.#watch.hasChanged(lease))) return "lost";
    if (isOther) this.#renewedAt = { monotonic: Number.NEGATIVE_INFINITY, wall: 0 };
    return this.#watch.saw(lease, performance.now()) ? this.#unlessOutrun() : "wait";
  }

  /**
   * Nobody else needs to lead for that: a term that was raised by hand fences every write off, and the next leader is above
   * it. No leader is above the last one: after it nobody would lead, so the leadership goes on beside what carries it.
   */
  async #isOutrun(): Promise<boolean> {
    // Asked again until somebody has taken it back.
    if (this.#isLastTermTold) this.challenge();
    if (!this.#isChallenged) return false;
    this.#isChallenged = false;
    // A look that fails is repeated with the next refusal.
    const term = await this.#options.highestTerm().catch(() => 0);
    const isLast = term >= MAX_TERM && this.term < MAX_TERM;
    if (isLast !== this.#isLastTermTold && term > 0) {
      this.#isLastTermTold = isLast;
      const told = `something of namespace ${this.#client.namespace} carries the last term, ${MAX_TERM}, and refuses every write: somebody has typed it; set it back to ${this.term}`;
      this.#options.onTrouble(isLast ? told : null);
    }
    return term > this.term && !isLast;
  }

  /** The next leader need not wait until the Lease is old. */
  async #stepDown(): Promise<null> {
    this.#end();
    await this.#client.release(this.#lease, this.term).catch(() => {});
    this.#options.onLost(this.#outrun());
    return null;
  }

  async #unlessOutrun(): Promise<Verdict> {
    return (await this.#options.highestTerm()) > this.term ? "lost" : "renew";
  }

  #lose(lease: Lease): null {
    if (this.#over) return null;
    this.#end();
    const holder = holderOf(lease);
    const isOther = holder !== "" && holder !== this.#holder.identity;
    this.#options.onLost(isOther ? `${holder} holds the Lease ${LEASE} of namespace ${this.#client.namespace} now, in term ${termOf(lease)}` : this.#outrun());
    return null;
  }

  #outrun(): string {
    const where = `of namespace ${this.#client.namespace}`;
    return `something ${where} carries a later term than ${this.term}: another pool manager has led after this one, or somebody has edited it`;
  }

  /** In doubt, and certain again: each once. */
  #tell(failure: string | null): void {
    if (failure !== null && !this.#isTold && !this.certain()) {
      this.#isTold = true;
      this.#options.onTrouble(`nothing is written until it has been renewed: ${failure}`);
    }
    if (failure === null && this.#isTold) {
      this.#isTold = false;
      this.#options.onTrouble(null);
    }
  }

  #again(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#renewing = this.#renew();
    }, ms);
  }

  #end(): void {
    this.#over = true;
    if (this.#timer) clearTimeout(this.#timer);
  }
}
