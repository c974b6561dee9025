import type { KubeClient } from "../../../kubernetes/client.ts";
import { KubeError } from "../../../kubernetes/error.ts";

export const LEASE = "berth";
/** Annotation with the URL of the leader's manage API. */
export const URL_ANNOTATION = "berth.dev/url";
/** Annotation with the term of a leader that has released the Lease: it is free at once. A Lease that was emptied by hand lacks it. */
export const RELEASED_ANNOTATION = "berth.dev/released";

/** A Lease that has not changed for this long, by the observer's clock, is free. The Lease's own times may have been edited. */
export const LEASE_MS = 6000;
/** The leader becomes uncertain earlier, so that everything it has sent arrives before another can lead. */
export const CERTAIN_MS = 4800;
export const RENEW_EVERY_MS = 1200;
export const CHECK_INTERVAL_MS = 400;
export const TIMEOUT_MS = 2000;

/**
 * The last term. A greater number is no term: no leader has ever written one, and a hand may have typed anything. Nobody
 * leads after the last one, since a later term would not be believed, and would be used twice. Nine digits: as many as the
 * admission policy compares.
 */
export const MAX_TERM = 999_999_999;

export interface Lease {
  metadata: { name?: string; uid?: string; resourceVersion: string; annotations?: Record<string, string>; [field: string]: unknown };
  /** Fields that Berth writes; any may be missing after an edit by hand. */
  spec?: { holderIdentity?: string; leaseDurationSeconds?: number; leaseTransitions?: number; renewTime?: string; acquireTime?: string };
}

export type LeaseApi = Pick<KubeClient, "namespace" | "get" | "create" | "replace">;

/** A pool manager as the holder of the Lease. */
export interface Holder {
  /** Unique to this process. */
  identity: string;
  /** URL of its manage API. */
  url: string;
}

/**
 * The client of a namespace's Lease. Each request is bounded by `TIMEOUT_MS`. The Lease is created without a holder and
 * taken only by replacing the version that was read: a request that arrives late takes it from nobody.
 */
export class LeaseClient {
  readonly #api: LeaseApi;
  readonly #path: string;

  constructor(api: LeaseApi) {
    this.#api = api;
    this.#path = `/apis/coordination.k8s.io/v1/namespaces/${api.namespace}/leases`;
  }

  get namespace(): string {
    return this.#api.namespace;
  }

  /** Reads the Lease; if there is none, creates it without a holder in `term`. */
  async obtain(term: number): Promise<Lease> {
    const found = await this.#read();
    if (found) return found;
    const body = { metadata: { name: LEASE }, spec: { leaseTransitions: term } };
    const made = await this.#api.create<Lease>(this.#path, body, "lease", TIMEOUT_MS).catch((error: KubeError) => {
      if (error.status === 409) return this.#read();
      throw error;
    });
    if (!made) throw new KubeError(409, "Conflict", `the Lease ${LEASE} was created and deleted at the same time`);
    return made;
  }

  /** Takes or renews the Lease for `holder` in `term`. Rejects with 409 or 404 if it has changed. */
  hold(lease: Lease, holder: Holder, term: number): Promise<Lease> {
    const now = `${new Date().toISOString().slice(0, -1)}000Z`;
    const { [RELEASED_ANNOTATION]: _released, ...annotations } = lease.metadata.annotations ?? {};
    const metadata = { ...lease.metadata, annotations: { ...annotations, [URL_ANNOTATION]: holder.url } };
    const acquireTime = (holderOf(lease) === holder.identity && lease.spec?.acquireTime) || now;
    const spec = { holderIdentity: holder.identity, leaseTransitions: term, leaseDurationSeconds: LEASE_MS / 1000, renewTime: now, acquireTime };
    return this.#replace({ ...lease, metadata, spec });
  }

  /** Empties the Lease, so that the next leader can take over at once. */
  release({ metadata, spec, ...lease }: Lease, term: number): Promise<Lease> {
    const annotations = { ...metadata.annotations, [RELEASED_ANNOTATION]: String(term) };
    return this.#replace({ ...lease, metadata: { ...metadata, annotations }, spec: { ...spec, holderIdentity: "", leaseTransitions: term } });
  }

  /** Null: there is no Lease. */
  async #read(): Promise<Lease | null> {
    try {
      return await this.#api.get<Lease>(`${this.#path}/${LEASE}`, undefined, TIMEOUT_MS);
    } catch (error) {
      if ((error as KubeError).status === 404) return null;
      throw error;
    }
  }

  #replace(lease: Lease): Promise<Lease> {
    return this.#api.replace<Lease>(`${this.#path}/${LEASE}`, lease, "lease", TIMEOUT_MS);
  }
}

/** The identity of a Lease's holder; empty: it has none. */
export function holderOf(lease: Lease): string {
  return lease.spec?.holderIdentity ?? "";
}

/** The term of a Lease; 0: none, or an impossible one. */
export function termOf(lease: Lease): number {
  return believable(lease.spec?.leaseTransitions);
}

/**
 * Parses the term that an object carries: a whole number, or one to nine digits, which is what the admission policy
 * compares. 0: none, or an impossible one.
 */
export function believable(term: unknown): number {
  const value = typeof term === "string" && /^[0-9]{1,9}$/.test(term) ? Number(term) : term;
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value <= MAX_TERM ? value : 0;
}

/** Whether the leader has released the Lease and its holder and term have not been changed since. */
export function isReleased(lease: Lease): boolean {
  return holderOf(lease) === "" && lease.metadata.annotations?.[RELEASED_ANNOTATION] === String(lease.spec?.leaseTransitions ?? 0);
}
