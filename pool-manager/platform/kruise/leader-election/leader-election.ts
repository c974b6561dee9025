import type { KubeError } from "../../../kubernetes/error.ts";
import { type AcquiredLease, Candidate, type CandidateOptions } from "./candidate.ts";
import type { Lead } from "./lead.ts";
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

/** The shortest time between two checks of all terms: each reads every pod, CloneSet and resource. */
const CHALLENGE_EVERY_MS = 30_000;
/** How many times one renewal is attempted while others edit the Lease. */
const ROUNDS = 3;

export interface LeaderElectionOptions extends CandidateOptions {
  kube: LeaseApi;
  /** Unique to this process. */
  holder: string;
  /** URL of its manage API. */
  url: string;
  /** Called when another pool manager leads: this one must not act any more. */
  onLost(message: string): void;
}

/** How to react to a Lease that differs from what this leader wrote last. */
type Verdict = "renew" | "wait" | "lost";

/**
 * Elects one leader among the pool managers of a namespace: it holds the Lease, whose `leaseTransitions` are the
 * leadership terms. Each process measures times on its own monotonic clock alone, so clock skew and jumps do no harm.
 *
 * A leader that cannot renew does not step down: no other can take the Lease while the API server is unreachable, and
 * instances fence its load orders. It is uncertain, and neither writes nor ends anything until it has renewed.
 *
 * A Lease that was deleted or edited by hand is restored in the leader's own term. If another pool manager might lead by
 * it, the leader first becomes uncertain and waits as long as a candidate would have to.
 */
export class LeaderElection implements Lead {
  readonly term: number;
  readonly #options: LeaderElectionOptions;
  readonly #client: LeaseClient;
  readonly #holder: Holder;
  readonly #watch = new LeaseWatch();
  #lease: Lease;
  /** The Lease may differ from what this leader wrote last. */
  #isSuspect = false;
  #challengedAt = Number.NEGATIVE_INFINITY;
  #isChallenged = false;
  /** When the last successful renewal was sent, on the monotonic clock and on the wall clock, which continues while the machine sleeps. */
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

  /** Waits until the Lease is free, and takes it. Rejects if the API server refuses that, and with the reason of `stop`. */
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

  /** Whether no other pool manager can lead yet. */
  readonly certain = (): boolean => {
    const { monotonic, wall } = this.#renewedAt;
    return !this.#over && Math.max(performance.now() - monotonic, Date.now() - wall) < CERTAIN_MS;
  };

  readonly challenge = (): void => {
    if (performance.now() - this.#challengedAt < CHALLENGE_EVERY_MS) return;
    this.#challengedAt = performance.now();
    this.#isChallenged = true;
  };

  /** Releases the Lease, so that the next leader can take over at once. */
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
        // Without a release the next leader waits until the Lease has expired.
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

  /** Renews the Lease. Returns why it could not; null: it is renewed, or lost. */
  async #hold(): Promise<string | null> {
    if (await this.#isOutrun()) return this.#stepDown();
    for (let round = 1; round <= ROUNDS && !this.#over; round++) {
      const lease = this.#isSuspect ? await this.#client.obtain(this.term) : this.#lease;
      const verdict = await this.#judge(lease);
      if (verdict === "lost") return this.#lose(lease);
      if (verdict === "wait") return `the Lease ${LEASE} names ${holderOf(lease) || "nobody"} as its holder`;
      if (await this.#write(lease)) return null;
    }
    return `the Lease ${LEASE} was changed by another writer at each of ${ROUNDS} attempts`;
  }

  /** False: the Lease has changed since it was read. */
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
   * | this one | any       | yes     | renew: other fields were edited                                   |
   * | none     | any       | yes     | renew: it cannot have been taken; it was emptied or recreated     |
   * | other    | later     | any     | lost                                                              |
   * | none     | later     | no      | lost                                                              |
   * | this one | any       | no      | renew if no object carries a later term, else lost                |
   * | none     | not later | no      | the same as soon as a candidate could take it                     |
   * | other    | not later | any     | the same, uncertain until then; lost if the holder renews it      |
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

  /** Whether an object carries a later term, even one raised by hand: it fences every write, and the next leader's term is above it. None is above the last term, which ends nothing. */
  async #isOutrun(): Promise<boolean> {
    // Asked again until somebody has taken it back.
    if (this.#isLastTermTold) this.challenge();
    if (!this.#isChallenged) return false;
    this.#isChallenged = false;
    // A check that fails is repeated at the next refusal.
    const term = await this.#options.highestTerm().catch(() => 0);
    const isLast = term >= MAX_TERM && this.term < MAX_TERM;
    if (isLast !== this.#isLastTermTold && term > 0) {
      this.#isLastTermTold = isLast;
      const told = `something of namespace ${this.#client.namespace} carries the last term, ${MAX_TERM}, and refuses every write: somebody has typed it; set it back to ${this.term}`;
      this.#options.onTrouble(isLast ? told : null);
    }
    return term > this.term && !isLast;
  }

  /** Ends this leadership and releases the Lease, so that the next leader need not wait for its expiry. */
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

  /** Reports each change between certain and uncertain once. */
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
