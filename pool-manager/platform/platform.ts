import type { Echo, LoadAnswer, LoadOrder } from "../../runtime-images/protocol/messages.ts";
import type { Collector } from "../functions/retention.ts";

/** The function that an instance is recorded as belonging to (Kruise: its owner). */
export interface Binding {
  functionUid: string;
  revision: string;
}

/** An instance as the platform observes it. */
export interface Instance {
  uid: string;
  pool: string;
  /** Empty: it has no address now, as a pod whose sandbox has ended. */
  host: string;
  /** What routers present to it; null: nothing is asked for. */
  key: string | null;
  /** Changes with each change of the platform's record of it; precondition of `bind` and `remove`. */
  resourceVersion: string;
  /** What the instance says of itself; null before it has spoken. */
  echo: Echo | null;
  binding: Binding | null;
  /** Milliseconds on the platform's clock; before `seenAt` where it is older than this pool manager. */
  createdAt: number;
  /** When this pool manager first saw it: ages that decide count from here. */
  seenAt: number;
  /** When its runtime was first seen to run; null before. */
  runningSince: number | null;
  /** When it became prewarmed; null before. */
  readyAt: number | null;
  /** Its deletion has been asked for. */
  removing: boolean;
  /** The platform's own controllers count it, where they do; not one whose CloneSet is gone or has let go of it. */
  isCounted: boolean;
  /** A fresh one is to take its place: it has a former version of the runtime, or its node is being drained. */
  replace: "version" | "node" | null;
  /** Why the platform cannot bring it the code that it was bound with; null: nothing is wrong. */
  trouble: string | null;
  /** Why it cannot serve now, whatever it said before; null: nothing is known to be in the way. */
  obstacle: Obstacle | null;
}

/**
 * | kind          | meaning                                           | holds a place in the pool |
 * |---------------|---------------------------------------------------|---------------------------|
 * | `pending`     | no node has been found for it                     | yes                       |
 * | `blocked`     | its node cannot start it                          | yes                       |
 * | `unreachable` | there is no connection to it, or its node is away | yes                       |
 * | `ended`       | all its processes have ended, its record has not  | no                        |
 * | `stuck`       | its deletion is overdue                           | no                        |
 */
export type ObstacleKind = "pending" | "blocked" | "unreachable" | "ended" | "stuck";

export interface Obstacle {
  kind: ObstacleKind;
  /** Milliseconds on the platform's clock. */
  since: number;
  /** In the platform's words. */
  message: string;
}

export interface Observation {
  /** False until the platform has been listed completely: nothing may be concluded from absence then. */
  synced: boolean;
  instances: ReadonlyMap<string, Instance>;
  /** Instances by pool as the platform's own controllers count them, where it has any. */
  counted?(): ReadonlyMap<string, number>;
  /** Why the platform's controllers cannot create what they were asked for, by pool. */
  refusals?(): ReadonlyMap<string, string>;
}

/** A pool as the platform needs to know it. */
export interface PoolTarget {
  name: string;
  runtime: string;
  /** All instances that the pool may have, bound ones too: the platform itself never exceeds it. */
  max: number;
}

export interface Target {
  uid: string;
  resourceVersion: string;
}

/** `REFUSED`: permissions, a quota, a policy or a webhook are in the way; the message has their words. */
export type PlatformErrorCode = "CONFLICT" | "NOT_FOUND" | "REFUSED" | "UNREACHABLE" | "UNSUPPORTED";

export class PlatformError extends Error {
  readonly code: PlatformErrorCode;

  constructor(code: PlatformErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * What a pool is to get. It goes by the instances that the decision has seen, and not by how many there are: until it is
 * carried out some are bound, and others removed, which must not be made up for twice.
 */
export interface PoolScale {
  /** Uids of all instances of the pool that were seen. */
  seen: ReadonlySet<string>;
  /** Instances that there shall be beside those. */
  more: number;
}

/** The instances that a pool is short of, where `instances` are those that there are now. */
export function shortage(pool: PoolTarget, { seen, more }: PoolScale, instances: Iterable<Instance>): number {
  const own = [...instances].filter((instance) => instance.pool === pool.name && holdsPlace(instance));
  return Math.min(more - own.filter(({ uid }) => !seen.has(uid)).length, pool.max - own.length);
}

/** Counts against its pool's `max`: something of it may still run. */
export function holdsPlace({ obstacle }: Pick<Instance, "obstacle">): boolean {
  return obstacle?.kind !== "ended" && obstacle?.kind !== "stuck";
}

/** It is older than this pool manager: how long it took to start is not known. */
export function isAdopted({ createdAt, seenAt }: Pick<Instance, "createdAt" | "seenAt">): boolean {
  return createdAt < seenAt;
}

export function noInstance(uid: string): PlatformError {
  return new PlatformError("NOT_FOUND", `there is no instance ${uid}`);
}

/** Throws `CONFLICT` where the record is not the one that was decided on. */
export function checkVersion(current: string, { uid, resourceVersion }: Target): void {
  if (current !== resourceVersion) throw new PlatformError("CONFLICT", `instance ${uid} has changed since version ${resourceVersion}`);
}

/** Output of a function, as the instance wrote it: without the line's end. */
export type LogListener = (instanceUid: string, line: string) => void;

/** A revision's code, as it was deployed. */
export interface PreparedCode {
  functionUid: string;
  pool: string;
  revision: string;
  /** Digest of the code image's manifest. */
  image: string;
  /** Digest of the function layer. */
  digest: string;
  /** Module that will be loaded, below the function's root. */
  entry: string;
  /** The function layer. */
  layer: Uint8Array;
}

/** What the revisions that exist still need: uids of functions, digests of images and layers. */
export interface NeededCode {
  functions: ReadonlySet<string>;
  images: ReadonlySet<string>;
  layers: ReadonlySet<string>;
  /** Layers that somebody declares and that no revision has yet. */
  declared: ReadonlySet<string>;
}

/** How code gets to an instance: lying in a volume already, with the order, or by the swapped image. */
export type LoadPath = "volume" | "inline" | "image";

/** A load order before the platform has said how the code gets to the instance, and what key opens it. */
export type OpenOrder = Omit<LoadOrder, "source" | "key">;

/**
 * Where instances live: processes on this machine, pods of CloneSets, or the fake of the simulation.
 * Instances of a pool that are bound to no function are its unbound ones; the platform creates what is
 * missing and deletes only what is named.
 */
export interface Platform {
  readonly kind: string;
  readonly loadPath: LoadPath;
  /** Begins to observe; resolves when the first listing is complete. */
  start(): Promise<void>;
  observe(): Observation;
  /** Calls `listener` after each change with the instance's uid; observe() already shows it. */
  watch(listener: (uid: string) => void): () => void;
  onLog(listener: LogListener): void;
  /**
   * Has a pool get so many instances beside those that were seen, as far as `max` allows. Idempotent: asked again with
   * the same, it creates those that have not come. Rejects with `REFUSED` or `UNREACHABLE` where they do not come.
   */
  scalePool(pool: PoolTarget, scale: PoolScale): Promise<void>;
  /**
   * These revisions of a function can be invoked from now on; the first is the one that takes over, or else the active
   * one. Their code may be brought near the instances in advance. Instances are bound to no other revision of it.
   */
  prepareCode(codes: readonly [PreparedCode, ...PreparedCode[]]): void;
  /** Code, and the platform's records of functions, that no revision needs any more: each goes when the collector allows it. */
  retainCode(needed: NeededCode, collector: Collector): void;
  /**
   * Hands a load order and its code to the instance itself, past the platform's control plane.
   * Rejects with `NOT_FOUND` or `UNREACHABLE`; a refusal is an answer.
   */
  load(order: OpenOrder, code: Uint8Array): Promise<LoadAnswer>;
  /** Records whose instance it is. Rejects with `CONFLICT` when the resourceVersion has moved on, or `NOT_FOUND`. */
  bind(target: Target, binding: Binding): Promise<void>;
  /** Asks the instance to refuse further invocations and to end when its own are done, at the latest after `deadlineMs`. */
  drain(uid: string, deadlineMs: number): Promise<void>;
  /** Deletes exactly this instance. Rejects with `CONFLICT` or `NOT_FOUND`; resolves when deletion has begun. */
  remove(target: Target): Promise<void>;
  /** Ends observation and, embedded, every instance. */
  close(): Promise<void>;
}
