import { setTimeout as sleep } from "node:timers/promises";
import type { Kube } from "./kube.ts";
import type { KubeError } from "./kube-error.ts";

const LEASE = "berth";
/** Annotation with the address of the leader's manage API. */
const URL_ANNOTATION = "berth.dev/url";
/** A Lease that has not changed for this long, by the clock of whoever looks, is free. Milliseconds. */
const LEASE_MS = 6000;
/** The leader itself is in doubt earlier: what it has sent by then has arrived before anybody else leads. Milliseconds. */
const CERTAIN_MS = 4800;
const RENEW_EVERY_MS = 1200;
const LOOK_EVERY_MS = 400;
const TIMEOUT_MS = 2000;

interface Lease {
  metadata: { resourceVersion: string; annotations?: Record<string, string> };
  spec: { holderIdentity?: string; leaseDurationSeconds?: number; leaseTransitions?: number; renewTime?: string; acquireTime?: string };
}

/** What a leadership is to the adapter. */
export interface Lead {
  term: number;
  /** False: another one might lead by now. */
  certain(): boolean;
  release(): Promise<void>;
}

export interface LeadershipOptions {
  kube: Kube;
  /** Unique to this process. */
  holder: string;
  /** Address of its manage API. */
  url: string;
  /** Told whom it waits for, and the address of that one's manage API; null: nobody leads. */
  onLeader(holder: string | null, url: string | null): void;
  /** Somebody else leads: nothing may be done any more. */
  onLost(message: string): void;
  /** Who waits no longer is never to lead. */
  stop: AbortSignal;
}

/**
 * One of the pool managers of a namespace leads: it holds the Lease, whose transitions are the leadership terms. Times
 * are measured on the own monotonic clock alone, so that clocks that differ or jump do no harm.
 *
 * A leader that cannot renew does not step down: nobody can have taken the Lease while the API server is away, and its
 * load orders are fenced by the instances. It is in doubt, and neither writes nor ends anything until it has renewed.
 */
export class Leadership implements Lead {
  readonly term: number;
  readonly #options: LeadershipOptions;
  #lease: Lease;
  /** When the last successful renewal was sent. */
  #renewedAt: number;
  #timer: NodeJS.Timeout | null = null;
  #over = false;

  private constructor(options: LeadershipOptions, lease: Lease, at: number) {
    this.#options = options;
    this.#lease = lease;
    this.#renewedAt = at;
    this.term = lease.spec.leaseTransitions ?? 0;
    this.#again();
  }

  /** Waits until the Lease is free, and takes it. Rejects where the API server refuses to show it, and with an `AbortError` at `stop`. */
  static async acquire(options: LeadershipOptions): Promise<Leadership> {
    const watched = new Watched();
    for (;;) {
      const began = performance.now();
      const lease = await read(options.kube);
      options.stop.throwIfAborted();
      if (lease && watched.isFree(lease, began)) {
        const taken = await write(options, lease, (lease.spec.leaseTransitions ?? 0) + 1).catch(() => null);
        if (taken) return new Leadership(options, taken, began);
      }
      if (lease) options.onLeader(lease.spec.holderIdentity || null, lease.metadata.annotations?.[URL_ANNOTATION] ?? null);
      await sleep(LOOK_EVERY_MS, undefined, { signal: options.stop });
    }
  }

  /** Nobody else can lead yet. */
  readonly certain = (): boolean => !this.#over && performance.now() - this.#renewedAt < CERTAIN_MS;

  /** Lets the next one take over at once. */
  async release(): Promise<void> {
    if (this.#over) return;
    this.#end();
    const { kube } = this.#options;
    const { spec, ...lease } = this.#lease;
    await kube.replace(pathOf(kube), { ...lease, spec: { ...spec, holderIdentity: "" } }, "lease", TIMEOUT_MS).catch(() => {});
  }

  async #renew(): Promise<void> {
    const began = performance.now();
    try {
      this.#lease = await write(this.#options, this.#lease, this.term);
      this.#renewedAt = began;
    } catch (error) {
      if ((error as KubeError).status === 409 || (error as KubeError).status === 404) await this.#look();
    }
    if (!this.#over) this.#again();
  }

  /** The Lease is not as it was left: it may have been edited, or be somebody else's. */
  async #look(): Promise<void> {
    const lease = await read(this.#options.kube).catch(() => null);
    if (!lease || this.#over) return;
    const { holderIdentity, leaseTransitions } = lease.spec;
    if (holderIdentity === this.#options.holder && leaseTransitions === this.term) {
      this.#lease = lease;
      return;
    }
    this.#end();
    this.#options.onLost(
      `${holderIdentity || "nobody"} holds the Lease ${LEASE} of namespace ${this.#options.kube.namespace} now, in term ${leaseTransitions}`,
    );
  }

  #again(): void {
    this.#timer = setTimeout(() => void this.#renew(), RENEW_EVERY_MS);
  }

  #end(): void {
    this.#over = true;
    if (this.#timer) clearTimeout(this.#timer);
  }
}

/** Somebody else's Lease, and since when it has not changed. */
class Watched {
  #mark = "";
  #since = 0;

  isFree({ spec: { holderIdentity = "", renewTime = "", leaseTransitions = 0, leaseDurationSeconds = 0 } }: Lease, now: number): boolean {
    const mark = `${holderIdentity} ${renewTime} ${leaseTransitions}`;
    if (this.#mark !== mark) this.#since = now;
    this.#mark = mark;
    return !holderIdentity || now - this.#since >= leaseDurationSeconds * 1000;
  }
}

/** The Lease, made where it is missing; null: it was made by somebody just now, or the API server does not answer. */
async function read(kube: Kube): Promise<Lease | null> {
  try {
    return await kube.get<Lease>(pathOf(kube), undefined, TIMEOUT_MS);
  } catch (error) {
    const { status } = error as KubeError;
    if (status !== 404) {
      if (status >= 400 && status < 500 && status !== 429) throw error;
      return null;
    }
    await kube.create(pathOf(kube, ""), { metadata: { name: LEASE }, spec: { leaseTransitions: 0 } }, "lease").catch((refused: KubeError) => {
      if (refused.status === 403) throw refused;
    });
    return null;
  }
}

function write({ kube, holder, url }: LeadershipOptions, { metadata, spec, ...rest }: Lease, term: number): Promise<Lease> {
  const now = `${new Date().toISOString().slice(0, -1)}000Z`;
  const isNew = spec.holderIdentity !== holder;
  const next = {
    ...rest,
    metadata: { ...metadata, annotations: { ...metadata.annotations, [URL_ANNOTATION]: url } },
    spec: {
      ...spec,
      holderIdentity: holder,
      leaseTransitions: term,
      leaseDurationSeconds: LEASE_MS / 1000,
      renewTime: now,
      acquireTime: isNew ? now : spec.acquireTime,
    },
  };
  return kube.replace<Lease>(pathOf(kube), next, "lease", TIMEOUT_MS);
}

function pathOf(kube: Kube, name = `/${LEASE}`): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${kube.namespace}/leases${name}`;
}
