import type { KubeClient } from "../../../kubernetes/client.ts";
import { KubeError } from "../../../kubernetes/error.ts";

export const LEASE = "berth";
/** Annotation with the address of the leader's manage API. */
export const URL_ANNOTATION = "berth.dev/url";
/** Annotation with the term of a leader that has let go: nobody has to be waited for. A Lease that somebody has emptied by hand has none. */
export const RELEASED_ANNOTATION = "berth.dev/released";

/** A Lease that has not changed for this long, by the clock of whoever looks, is free. What the Lease itself says may have been edited. */
export const LEASE_MS = 6000;
/** The leader itself is in doubt earlier: what it has sent by then has arrived before anybody else leads. */
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
  /** Fields that Berth writes; any may be missing where somebody has edited it. */
  spec?: { holderIdentity?: string; leaseDurationSeconds?: number; leaseTransitions?: number; renewTime?: string; acquireTime?: string };
}

export type LeaseApi = Pick<KubeClient, "namespace" | "get" | "create" | "replace">;

/** Who would hold the Lease. */
export interface Holder {
  /** Unique to this process. */
  identity: string;
  /** Address of its manage API. */
  url: string;
}

/**
 * The one Lease of a namespace. Each call ends within some `TIMEOUT_MS`. It is made without a holder, and held only by
 * replacing what was read: a request that arrives late takes it from nobody.
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

  /** The Lease as it is; where there is none it is made, in the term that its maker knows of. */
  async obtain(term: number): Promise<Lease> {
    const found = await this.#read();
    if (found) return found;
    const body = { metadata: { name: LEASE }, spec: { leaseTransitions: term } };
    const made = await this.#api.create<Lease>(this.#path, body, "lease", TIMEOUT_MS).catch((error: KubeError) => {
      if (error.status === 409) return this.#read();
      throw error;
    });
    if (!made) throw new KubeError(409, "Conflict", `the Lease ${LEASE} was made and deleted at once`);
    return made;
  }

  /** Makes `holder` hold it in this term. Rejects with 409 or 404 where it is not the same any more. */
  hold(lease: Lease, holder: Holder, term: number): Promise<Lease> {
    const now = `${new Date().toISOString().slice(0, -1)}000Z`;
    const { [RELEASED_ANNOTATION]: _released, ...annotations } = lease.metadata.annotations ?? {};
    const metadata = { ...lease.metadata, annotations: { ...annotations, [URL_ANNOTATION]: holder.url } };
    const acquireTime = (holderOf(lease) === holder.identity && lease.spec?.acquireTime) || now;
    const spec = { holderIdentity: holder.identity, leaseTransitions: term, leaseDurationSeconds: LEASE_MS / 1000, renewTime: now, acquireTime };
    return this.#replace({ ...lease, metadata, spec });
  }

  /** Lets the next one take over at once. */
  release({ metadata, spec, ...lease }: Lease, term: number): Promise<Lease> {
    const annotations = { ...metadata.annotations, [RELEASED_ANNOTATION]: String(term) };
    return this.#replace({ ...lease, metadata: { ...metadata, annotations }, spec: { ...spec, holderIdentity: "", leaseTransitions: term } });
  }

  /** Null: there is none. */
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

/** Empty: nobody. */
export function holderOf(lease: Lease): string {
  return lease.spec?.holderIdentity ?? "";
}

/** 0: none, or one that cannot be true. */
export function termOf(lease: Lease): number {
  return believable(lease.spec?.leaseTransitions);
}

/** A term as something carries it, as a number or in digits; 0: none, or one that cannot be true. What the admission policy compares is believed, and nothing else. */
export function believable(term: unknown): number {
  const value = typeof term === "string" && /^[0-9]{1,9}$/.test(term) ? Number(term) : term;
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value <= MAX_TERM ? value : 0;
}

/** Its leader has let go of it, and nobody has touched it since. */
export function isReleased(lease: Lease): boolean {
  return holderOf(lease) === "" && lease.metadata.annotations?.[RELEASED_ANNOTATION] === String(lease.spec?.leaseTransitions ?? 0);
}
