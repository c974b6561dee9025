import { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import type { LeaseApi } from "../../../pool-manager/platform/kruise/leader-election/lease.ts";
import { type Lease, RELEASED_ANNOTATION } from "../../../pool-manager/platform/kruise/leader-election/lease.ts";

/** The fate of a request: it is refused, or it or its answer is lost. */
export type Weather = "fine" | "refused" | "lost" | "unanswered" | "forbidden" | "throttled" | "broken";

/** The Leases of one namespace as an API server keeps them: resource versions, conflicts, and requests that take their time. */
export class LeaseServer {
  lease: Lease | null = null;
  /** Requests that were sent. */
  requests = 0;
  #version = 0;
  readonly #random: () => number;

  constructor(random: () => number = () => 0.5) {
    this.#random = random;
  }

  /** Writes to it by hand. */
  edit(change: Partial<NonNullable<Lease["spec"]>>): void {
    if (!this.lease) return;
    const spec = Object.fromEntries(Object.entries({ ...this.lease.spec, ...change }).filter(([, value]) => value !== undefined));
    this.lease = { metadata: { ...this.lease.metadata, resourceVersion: this.#next() }, spec };
  }

  delete(): void {
    this.lease = null;
  }

  get isReleased(): boolean {
    return this.lease?.spec?.holderIdentity === "" && this.lease.metadata.annotations?.[RELEASED_ANNOTATION] !== undefined;
  }

  /** The API as one process sees it; `weather` is read when a request is sent. */
  client(weather: () => Weather): LeaseApi {
    const call = <T>(timeoutMs: number, work: () => T) => this.#send(weather(), timeoutMs, work);
    return {
      namespace: "ns",
      get: <T>(_path: string, _query?: object, timeoutMs = 5000) => call(timeoutMs, () => this.#read() as T),
      create: <T>(_path: string, body: unknown, _purpose?: string, timeoutMs = 5000) => call(timeoutMs, () => this.#create(body as Lease) as T),
      replace: <T>(_path: string, body: unknown, _purpose?: string, timeoutMs = 5000) => call(timeoutMs, () => this.#replace(body as Lease) as T),
    };
  }

  async #send<T>(weather: Weather, timeoutMs: number, work: () => T): Promise<T> {
    this.requests++;
    const took = (most: number) => sleep(1 + this.#random() * most);
    const status = { forbidden: 403, throttled: 429, broken: 500 }[weather as string];
    if (weather === "refused") throw new KubeError(0, "Unreachable", "connect ECONNREFUSED");
    if (status) {
      await took(20);
      throw new KubeError(status, "", `status ${status}`);
    }
    if (weather === "fine") {
      await took(50);
      const result = work();
      await took(50);
      return result;
    }
    // It may arrive at any time while its sender waits, and its answer is lost.
    if (weather === "unanswered") void took(timeoutMs - 2).then(() => quietly(work));
    await sleep(timeoutMs);
    throw new KubeError(0, "Timeout", `no answer within ${timeoutMs} ms`);
  }

  #read(): Lease {
    if (!this.lease) throw new KubeError(404, "NotFound", "there is no Lease");
    return structuredClone(this.lease);
  }

  #create(lease: Lease): Lease {
    if (this.lease) throw new KubeError(409, "AlreadyExists", "there is one");
    return this.#store({ ...lease, metadata: { ...lease.metadata, uid: `uid-${this.#version}` } });
  }

  #replace(lease: Lease): Lease {
    if (!this.lease) throw new KubeError(404, "NotFound", "there is no Lease");
    if (lease.metadata.resourceVersion !== this.lease.metadata.resourceVersion) throw new KubeError(409, "Conflict", "it has been modified");
    return this.#store(lease);
  }

  #store({ metadata, spec = {} }: Lease): Lease {
    if ((spec.leaseTransitions ?? 0) >= 2 ** 31) throw new KubeError(400, "BadRequest", "leaseTransitions is not an int32");
    this.lease = structuredClone({ metadata: { ...metadata, resourceVersion: this.#next() }, spec });
    return structuredClone(this.lease);
  }

  #next(): string {
    return String(++this.#version);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function quietly(work: () => unknown): void {
  try {
    work();
  } catch {
    // A refusal whose answer is lost.
  }
}
