import type { Echo, LoadAnswer, LoadOrder } from "../../runtime-images/protocol/messages.ts";
import type { Collector } from "../functions/retention.ts";

/** The function and revision that the platform's record of an instance names (Kruise: the pod's owner). */
export interface Binding {
  functionUid: string;
  revision: string;
}

/** An instance as the platform observes it. */
export interface Instance {
  uid: string;
  pool: string;
  /** The machine that it runs on; absent or null: this one, or not known. */
  node?: string | null;
  /** Empty if the instance has no address now, such as a pod whose sandbox has ended. */
  host: string;
  /** The key that routers present to the instance; null: it requires none. */
  key: string | null;
  /** Changes with each change of the platform's record; precondition of `bind` and `remove`. */
  resourceVersion: string;
  /** The instance's latest report of its own state; null before the first one. */
  echo: Echo | null;
  binding: Binding | null;
  /** Milliseconds on the platform's clock; before `seenAt` if the instance is older than this pool manager. */
  createdAt: number;
  /** When this pool manager first saw the instance: decisions count ages from here. */
  seenAt: number;
  /** When the runtime was first seen running; null before. */
  runningSince: number | null;
  /** When the instance became prewarmed; null before. */
  readyAt: number | null;
  /** True once its deletion has been requested. */
  removing: boolean;
  /** False if a controller of the platform does not count the instance: its CloneSet is gone or has released it. */
  isCounted: boolean;
  /** Why a new instance must replace this one: it has an older version of the runtime, or its node is being drained. */
  replace: "version" | "node" | null;
  /** Why the platform cannot deliver the code of its binding; null: nothing is wrong. */
  trouble: string | null;
  /** Why it does not have the resources of its function, with which it serves nevertheless; null: nothing is wrong. */
  underResourced: string | null;
  /** Why the instance cannot serve now, whatever its echo says; null: no reason is known. */
  obstacle: Obstacle | null;
}

/**
 * | kind          | meaning                                                   | counts against `max` |
 * |---------------|-----------------------------------------------------------|----------------------|
 * | `pending`     | it is not scheduled to a node                             | yes                  |
 * | `blocked`     | its node cannot start it                                  | yes                  |
 * | `unreachable` | there is no connection to it, or its node is unreachable  | yes                  |
 * | `ended`       | all its processes have ended, but its record still exists | no                   |
 * | `stuck`       | its deletion is overdue                                   | no                   |
 */
export type ObstacleKind = "pending" | "blocked" | "unreachable" | "ended" | "stuck";

export interface Obstacle {
  kind: ObstacleKind;
  /** Milliseconds on the platform's clock. */
  since: number;
  /** The platform's own wording. */
  message: string;
}

export interface Observation {
  /** False until the first complete listing: until then an absent instance is not known to be gone. */
  synced: boolean;
  instances: ReadonlyMap<string, Instance>;
  /** Instances by pool as the platform's controllers count them, if it has controllers. */
  counted?(): ReadonlyMap<string, number>;
  /** Why the platform's controllers cannot create the requested instances, by pool. */
  refusals?(): ReadonlyMap<string, string>;
}

/** The part of a pool that the platform needs. */
export interface PoolTarget {
  name: string;
  runtime: string;
  /** The most instances that the pool may have, bound ones included: the platform never exceeds it. */
  max: number;
}

export interface Target {
  uid: string;
  resourceVersion: string;
}

/** `REFUSED`: permissions, a quota, a policy or a webhook rejects the request; the message quotes the rejection. */
export type PlatformErrorCode = "CONFLICT" | "NOT_FOUND" | "REFUSED" | "UNREACHABLE" | "UNSUPPORTED";

export class PlatformError extends Error {
  readonly code: PlatformErrorCode;

  constructor(code: PlatformErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * The instances to create for a pool, relative to those that the decision saw rather than to a count: before it is
 * carried out some of them are bound and others removed, and those must not be replaced twice.
 */
export interface PoolScale {
  /** Uids of all instances of the pool that the decision saw. */
  seen: ReadonlySet<string>;
  /** How many instances must exist beside those. */
  more: number;
}

/** How many instances the pool still lacks, given all present `instances`; zero or less: none. */
export function shortage(pool: PoolTarget, { seen, more }: PoolScale, instances: Iterable<Instance>): number {
  const own = [...instances].filter((instance) => instance.pool === pool.name && holdsPlace(instance));
  return Math.min(more - own.filter(({ uid }) => !seen.has(uid)).length, pool.max - own.length);
}

/** Whether an instance counts against its pool's `max`: some of its processes may still run. */
export function holdsPlace({ obstacle }: Pick<Instance, "obstacle">): boolean {
  return obstacle?.kind !== "ended" && obstacle?.kind !== "stuck";
}

/** Whether an instance is older than this pool manager: its start time is not known then. */
export function isAdopted({ createdAt, seenAt }: Pick<Instance, "createdAt" | "seenAt">): boolean {
  return createdAt < seenAt;
}

export function noInstance(uid: string): PlatformError {
  return new PlatformError("NOT_FOUND", `there is no instance ${uid}`);
}

/** Throws `CONFLICT` if the record has changed since the decision. */
export function checkVersion(current: string, { uid, resourceVersion }: Target): void {
  if (current !== resourceVersion) throw new PlatformError("CONFLICT", `instance ${uid} has changed since version ${resourceVersion}`);
}

/** Receives a line of a function's output, without its line break. */
export type LogListener = (instanceUid: string, line: string) => void;

/** A revision's code as deployed. */
export interface PreparedCode {
  functionUid: string;
  pool: string;
  revision: string;
  /** Digest of the code image's manifest. */
  image: string;
  /** Digest of the function layer. */
  digest: string;
  /** The module to load, relative to the function's root. */
  entry: string;
  layer: Uint8Array;
}

/** The code that existing revisions still need: uids of functions, digests of images and layers. */
export interface NeededCode {
  functions: ReadonlySet<string>;
  images: ReadonlySet<string>;
  layers: ReadonlySet<string>;
  /** Layers that a declaration names and no revision has yet. */
  declared: ReadonlySet<string>;
}

/** How code reaches an instance: from a volume, inline with the load order, or as the swapped image. */
export type LoadPath = "volume" | "inline" | "image";

/** A load order before the platform has added how the code reaches the instance, and the instance's key. */
export type OpenOrder = Omit<LoadOrder, "source" | "key">;

/**
 * The port to what runs instances: processes on this machine, pods of CloneSets, or the simulation's fake.
 * A platform creates missing instances of a pool, and deletes only those that it is told to by name.
 */
export interface Platform {
  readonly kind: string;
  readonly loadPath: LoadPath;
  /** Starts observation; resolves when the first listing is complete. */
  start(): Promise<void>;
  observe(): Observation;
  /** Calls `listener` with the instance's uid after each change; `observe` already shows the change. Returns the unsubscription. */
  watch(listener: (uid: string) => void): () => void;
  onLog(listener: LogListener): void;
  /**
   * Creates the instances that a pool lacks, up to `max`. Idempotent: a repeated call creates only those that are still
   * missing. Rejects with `REFUSED` or `UNREACHABLE` if they cannot be created.
   */
  scalePool(pool: PoolTarget, scale: PoolScale): Promise<void>;
  /**
   * Announces the revisions of a function that can be invoked from now on; the first is the one that takes over, or else
   * the active one. The platform may prefetch their code. Instances are bound to no other revision of this function.
   */
  prepareCode(codes: readonly [PreparedCode, ...PreparedCode[]]): void;
  /** Removes code and the platform's records of functions that no revision needs, each once the collector allows it. */
  retainCode(needed: NeededCode, collector: Collector): void;
  /**
   * Sends a load order and its code directly to the instance, bypassing the platform's control plane.
   * Rejects with `NOT_FOUND` or `UNREACHABLE`; a refusal by the instance is an answer.
   */
  load(order: OpenOrder, code: Uint8Array): Promise<LoadAnswer>;
  /** Records the instance's function and revision. Rejects with `CONFLICT` if the resourceVersion has changed, or `NOT_FOUND`. */
  bind(target: Target, binding: Binding): Promise<void>;
  /** Tells the instance to refuse new invocations and to end once the running ones are done, at the latest after `deadlineMs`. */
  drain(uid: string, deadlineMs: number): Promise<void>;
  /** Deletes exactly this instance. Resolves when deletion has begun; rejects with `CONFLICT` or `NOT_FOUND`. */
  remove(target: Target): Promise<void>;
  /** Ends observation; the local platform also ends every instance. */
  close(): Promise<void>;
}
