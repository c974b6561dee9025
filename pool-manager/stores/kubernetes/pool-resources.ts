import { isDeepStrictEqual } from "node:util";
import { Backoff } from "../../async/backoff.ts";
import { ManagerError } from "../../errors.ts";
import { runtimeOfClass } from "../../functions/manifest/size-classes.ts";
import type { KubeError } from "../../kubernetes/error.ts";
import type { Change } from "../../kubernetes/informer/informer.ts";
import type { KubeObject } from "../../kubernetes/objects.ts";
import { LABEL } from "../../platform/kruise/objects/objects.ts";
import type { AutoSize, PoolSpec } from "../../pool/decide/world.ts";
import type { PoolStore, StoredPool } from "../../pool/pools.ts";
import { AUTO, type PoolChange } from "../../pool/settings/pool-fields.ts";
import { ownedFields } from "./function-resource.ts";
import { dropped, missing, type StoreNotice } from "./notices.ts";
import { FIELD_MANAGER, type KubeApi, ResourceClient, storeError } from "./resource-client.ts";
import { type Condition, withCondition } from "./status/conditions.ts";
import type { HistoryStatuses } from "./status/pool-histories.ts";

export interface PoolResource extends KubeObject {
  /** As the API's fields, except that a pool that sizes itself has `auto` instead of a size. */
  spec: Omit<PoolChange, "size" | keyof AutoSize> & { runtime?: string; size?: number; auto?: Partial<AutoSize> };
  status?: {
    observedGeneration?: number;
    term?: number;
    size?: number;
    max?: number;
    replicas?: number;
    instances?: number;
    selector?: string;
    claims?: string;
    conditions?: Condition[];
  };
}

/** The reported state of a pool. */
export interface PoolReport {
  /** How many instances can be specialized now. */
  free: number;
  instances: number;
  /** Descriptions of what obstructs the pool. */
  problems: readonly string[];
}

const RETRY_MS = 2000;
const MAX_MESSAGE = 1024;
/** The pause before a lost resource is first rewritten; it doubles each time. */
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;
const newBackoff = () => new Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);

/** A pool's resource that is missing. */
interface Lost {
  /** The resource to write. */
  object: PoolResource;
  /** False: the resource has not existed yet. */
  wasThere: boolean;
  /** When to write it. */
  at: number;
  backoff: Backoff;
  /** The error of the last write. */
  error?: KubeError;
}

/** Stores pools as custom resources: the spec holds what was set, the status what is in force. */
export class PoolResources implements PoolStore, HistoryStatuses {
  readonly #client: ResourceClient<PoolResource>;
  readonly #notice: (notice: StoreNotice) => void;
  #declared: ((name: string, change: PoolChange) => PoolSpec) | null = null;
  readonly #term: number;
  readonly #lost = new Map<string, Lost>();

  constructor(kube: KubeApi, term: number, notice: (notice: StoreNotice) => void) {
    this.#notice = notice;
    this.#term = term;
    this.#client = new ResourceClient<PoolResource>({
      kube,
      kind: "Pool",
      plural: "pools",
      term,
      onChange: (change) => this.#changed(change),
      onDropped: (fields) => notice({ topic: "dropped", kind: "Pool", count: fields.length, message: dropped("Pool", fields) }),
    });
  }

  /** Rejects if pools cannot be listed, or if one carries a later term. */
  async load(): Promise<Map<string, StoredPool>> {
    await this.#client.cache.start();
    for (const resource of [...this.#client.cache.all()]) {
      // This writes the term: from here on an admission policy refuses writes of former leaders. If it fails now, `report` retries it.
      await this.#client
        .updateStatus(resource, (status) => status)
        .catch((error: KubeError) => {
          if (error.reason === "Fenced") throw error;
        });
    }
    return new Map([...this.#client.cache.all()].map((resource) => [resource.metadata.name, storedIn(resource)]));
  }

  /** Creates the resources of pools without one, and starts to ingest declarations that do not come through the API. */
  async follow(pools: readonly PoolSpec[], declared: (name: string, change: PoolChange) => PoolSpec): Promise<void> {
    this.#declared = declared;
    for (const { name, runtime, retired } of pools) {
      if (retired || this.#client.cache.get(name)) continue;
      // Only the runtime is written: fields with default values stay unowned until they are declared.
      const object = { metadata: { name }, spec: { runtime } } as PoolResource;
      this.#lost.set(name, { object, at: performance.now(), backoff: newBackoff(), wasThere: false });
      // If the write fails now, `report` retries it.
      await this.#rewrite(name).catch(() => {});
    }
    for (const resource of this.#client.cache.all()) this.#take(resource);
  }

  async save(pool: PoolSpec, change: PoolChange): Promise<void> {
    const { name, runtime } = pool;
    try {
      const current = this.#client.cache.get(name);
      const owned = current ? ownedFields(current, FIELD_MANAGER) : new Set<string>();
      const ended = pool.auto ? "size" : "auto";
      const kept = Object.entries(current?.spec ?? {}).filter(([field]) => owned.has(field) && field !== ended);
      const isNew = (field: string, value: unknown) => !isDeepStrictEqual(value, current?.spec[field as keyof PoolResource["spec"]]);
      const next = Object.entries(specOf(change, pool)).filter(([field, value]) => owned.has(field) || isNew(field, value));
      const spec = { ...Object.fromEntries(kept), ...Object.fromEntries(next) };
      const resource = await this.#client.apply(name, current ? spec : { runtime, ...spec });
      await this.#accept(resource, pool);
    } catch (error) {
      throw storeError(`pool ${name}`, error);
    }
  }

  /** Writes how many instances a pool has and what obstructs it, if that has changed. */
  async report({ name, size, max }: PoolSpec, { free, instances, problems }: PoolReport): Promise<void> {
    await this.#rewrite(name);
    const resource = this.#client.cache.get(name);
    if (!resource) return;
    const obstructed = obstructedBy(problems);
    const known = resource.status?.conditions?.find(({ type }) => type === obstructed.type);
    const next = { size, max, replicas: free, instances, selector: `${LABEL.pool}=${name},!${LABEL.function}` };
    const isReported = known?.status === obstructed.status && known.message === obstructed.message && resource.status?.term === this.#term;
    if (isReported && Object.entries(next).every(([field, value]) => resource.status?.[field as keyof typeof next] === value)) return;
    await this.#client.updateStatus(resource, (before) => ({ ...before, ...next, conditions: withCondition(before.conditions, obstructed) }));
  }

  histories(): Map<string, string> {
    return new Map([...this.#client.cache.all()].flatMap(({ metadata, status }) => (status?.claims ? [[metadata.name, status.claims]] : [])));
  }

  async writeHistory(name: string, claims: string): Promise<void> {
    const resource = this.#client.cache.get(name);
    if (!resource || resource.status?.claims === claims) return;
    await this.#client.updateStatus(resource, (before) => ({ ...before, claims }));
  }

  /** The uid of a pool's resource; null: it has none at present. */
  uidOf(name: string): string | null {
    return this.#client.cache.get(name)?.metadata.uid ?? null;
  }

  close(): void {
    this.#client.close();
  }

  #changed({ type, object }: Change<PoolResource>): void {
    const { name } = object.metadata;
    // A pool whose resource is deleted keeps its size until another one is declared: absence changes nothing.
    if (type !== "present") {
      if (!this.#client.cache.get(name)) this.#lost.set(name, { object, at: performance.now() + FIRST_PAUSE_MS, backoff: newBackoff(), wasThere: true });
      return;
    }
    this.#lost.delete(name);
    this.#take(object);
  }

  /** Rewrites a pool's missing resource once its pause is over: every pool has one, which states its size. Rejects until it is written. */
  async #rewrite(name: string): Promise<void> {
    const lost = this.#lost.get(name);
    if (!lost) return;
    if (performance.now() >= lost.at) return this.#write(name, lost);
    if (lost.error) throw lost.error;
  }

  async #write(name: string, lost: Lost): Promise<void> {
    const isFirst = lost.wasThere && lost.backoff.isFirst;
    lost.backoff.grow();
    lost.at = performance.now() + lost.backoff.pauseMs;
    if (isFirst) this.#notice({ topic: "missing", kind: "Pool", count: this.#lost.size, message: missing("pools", this.#lost.size, "resources were deleted") });
    try {
      const found = await this.#client.find(name);
      if (found) this.#client.cache.found(found);
      else if (lost.wasThere) await this.#client.recreate(lost.object);
      else this.#client.cache.learn(await this.#client.create(name, lost.object.spec));
    } catch (error) {
      lost.error = error as KubeError;
      throw error;
    }
    this.#lost.delete(name);
    if (lost.wasThere && this.#lost.size === 0) this.#notice({ topic: "restored", kind: "Pool", count: 0, message: missing("pools", 0, "") });
  }

  #take(resource: PoolResource): void {
    const { name, generation, uid } = resource.metadata;
    const known = this.#client.cache.get(name);
    if (!this.#declared || resource.status?.observedGeneration === generation || known?.metadata.uid !== uid) return;
    const retry = () => setTimeout(() => this.#take(this.#client.cache.get(name) ?? resource), RETRY_MS).unref();
    try {
      const fault = faultOf(resource);
      if (fault) throw fault;
      const pool = this.#declared(name, changeOf(resource.spec));
      this.#accept(resource, pool).catch(retry);
    } catch (error) {
      if (error instanceof ManagerError) this.#client.refuse(resource, error).catch(retry);
      else throw error;
    }
  }

  #accept(resource: PoolResource, { size, max, auto }: PoolSpec): Promise<PoolResource> {
    const sized = auto ? `size auto, min ${auto.min}, max ${max}, targetHit ${auto.targetHit}` : `size ${size}, max ${max}`;
    return this.#client.accept(resource, resource.metadata.generation ?? 0, "Sized", sized, () => ({ size, max }));
  }
}

/** The stored pool: its status holds the size that was last in force, which applies if the spec is not valid. */
function storedIn(resource: PoolResource): StoredPool {
  const { size, max } = resource.status ?? {};
  return { set: faultOf(resource) ? null : changeOf(resource.spec), held: defined({ size, max }) };
}

/** The contradiction in a resource; null: it has none. */
function faultOf({ metadata, spec: { runtime, size, auto } }: PoolResource): ManagerError | null {
  if (runtime !== undefined && runtime !== metadata.name && runtimeOfClass(metadata.name, [runtime]) === null)
    return new ManagerError("POOL_INVALID", `runtime: the pools of ${runtime} are named ${runtime}, and ${runtime}-2gi for a size class`, "runtime");
  return auto && size !== undefined ? new ManagerError("POOL_INVALID", "auto: it and size exclude each other", "auto") : null;
}

/** The fields of the resource's spec that a change sets. */
function specOf({ size, targetHit, min, ...rest }: PoolChange, { auto }: PoolSpec): PoolResource["spec"] {
  const isSized = size !== undefined || targetHit !== undefined || min !== undefined;
  return defined({ ...(auto && isSized && { auto }), ...(typeof size === "number" && { size }), ...rest });
}

function changeOf({ size, auto, max, budget, partition, paused, warm, idleMemory }: PoolResource["spec"]): PoolChange {
  return defined({ ...(auto ? { ...auto, size: AUTO } : { size }), max, budget, partition, paused, warm, idleMemory }) as PoolChange;
}

function defined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

function obstructedBy(problems: readonly string[]): Omit<Condition, "lastTransitionTime"> {
  if (problems.length === 0) return { type: "Obstructed", status: "False", reason: "Free", message: "no obstruction is known" };
  return { type: "Obstructed", status: "True", reason: "Problems", message: problems.join("; ").slice(0, MAX_MESSAGE) };
}
