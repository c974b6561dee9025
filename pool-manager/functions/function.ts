import type { LoadSettings } from "../../runtime-images/protocol/messages.ts";
import type { Manifest } from "./manifest/manifest.ts";

/** Code that a revision is made of, as the image store knows it. */
export interface CodeRef {
  layer: string;
  entry: string;
}

/** Code and settings, which are immutable: changed ones are a new revision. */
export interface Revision {
  /** `r1`, `r2`, … in the order of deployment. */
  id: string;
  /** Hash of everything below, secrets included: equal content is the same revision. */
  hash: string;
  createdAt: string;
  /** Digest of the function layer. */
  layer: string;
  /** Digest of the code image's manifest. */
  image: string;
  settings: LoadSettings;
  loadTimeoutMs: number;
  env: Record<string, string>;
  secretNames: string[];
  /** When it last became the active one; null: it never was. */
  activatedAt: string | null;
}

/** How many instances, and how long invocations wait: changing it makes no revision. */
export interface Scaling {
  minScale: number;
  maxScale: number;
  idleTimeoutMs: number;
  queueDepth: number;
  queueTimeoutMs: number;
}

/** How invocations are shared out among a function's revisions. */
export interface Traffic {
  /** Percent of the invocations by revision; what is left goes to the active one. */
  split: Record<string, number>;
  /** Revision by alias: invoked as `NAME@ALIAS`, whatever the split. */
  aliases: Record<string, string>;
}

/** How a new revision takes over where it is not to do so at once. */
export interface RolloutPolicy {
  /** How much it has after each step: so many instances, or a share such as "25%". In the end it has all. */
  steps: (number | string)[];
  /** How long each step is watched before the next. */
  intervalMs: number;
  /** Most instances that change at a time. */
  parallel: number;
  /** Percent of its invocations that may fail. */
  maxErrors: number;
}

/** A revision on its way to take over, or the last one that was; its share is in the traffic. */
export interface Rollout {
  from: string;
  to: string;
  /** Index into the policy's steps; behind them, it gets everything. */
  step: number;
  /** The step's share and instances are reached. */
  watching: boolean;
  /** Undone by a user, stopped by what was seen. */
  state: "rolling" | "paused" | "undone" | "stopped" | "complete";
  reason: string | null;
  startedAt: string;
  /** It takes over at once when an instance has it loaded, whatever the policy; left out: the policy says how. */
  onceLoaded?: boolean;
}

/** A deployed function. `uid` is new for each creation: a deleted and recreated name is another function. */
export interface FunctionRecord {
  uid: string;
  name: string;
  runtime: string;
  createdAt: string;
  /** Id of the revision that receives all traffic but that of `traffic`. */
  active: string;
  /** Id of the revision that was deployed last; another one may be active (a rollback, a canary). */
  latest: string;
  traffic: Traffic;
  nextRevision: number;
  scaling: Scaling;
  /** Null: a new revision takes over at once. */
  rolloutPolicy: RolloutPolicy | null;
  /** The last rollout; null: there was none since a revision took over at once. */
  rollout: Rollout | null;
  /** Ids of revisions in the order in which they became the active one, the present one last; without what rollbacks have undone. */
  history: string[];
  /** Oldest first, at most `MAX_REVISIONS`. */
  revisions: Revision[];
}

/** Secrets of a function, by revision. */
export type Secrets = Record<string, Record<string, string>>;

/** What is left of a revision whose function's record is lost. */
export interface Former {
  uid: string;
  revision: string;
  /** Hash of the uid and of all that the revision was made of. */
  identity: string;
  /** Number of the latest revision that anything is left of. */
  highest: number;
  /** Its secret values, as far as they are kept. */
  secrets: Record<string, string>;
}

/** A function as somebody declares it in the store itself, past the API. */
export interface Declaration {
  name: string;
  /** What is left of functions of this name, where the store has no record of it. */
  former(): Promise<readonly Former[]>;
  /** Throws `MANIFEST_INVALID` with the field. `kept` gives the secrets in force, where it names none itself; it throws `SECRETS_LOST`. */
  manifest(kept: () => Record<string, string>): Promise<Manifest>;
  /** Throws `CODE_UNKNOWN`, `CODE_INVALID` or `STORE_FAILED`. */
  code(): Promise<CodeRef>;
  /** Revision that is to be the active one; null: the one that is declared. */
  active: string | null;
  traffic: Traffic;
  /** The store's own: which state of the declaration this is. */
  version: number;
  /** False once it has been taken in, by way of the API for instance. */
  isPending(): boolean;
}

export interface DeclarationListener {
  /** Rejects with a `ManagerError` where the declaration is not valid: what is in force stays. */
  declared(declaration: Declaration): Promise<void>;
  withdrawn(name: string): Promise<void>;
}

/** Where functions are kept. Each write is atomic and durable when it resolves. */
export interface FunctionStore {
  load(): Promise<{ record: FunctionRecord; secrets: Secrets }[]>;
  /** With the declaration that it follows from, if any: that itself is left as it is. */
  save(record: FunctionRecord, secrets: Secrets, declaration?: Declaration): Promise<void>;
  /** A rollout got on: nobody has declared anything else. */
  progress(record: FunctionRecord, secrets: Secrets): Promise<void>;
  remove(record: FunctionRecord): Promise<void>;
  /** What holds a function that somebody has deleted past the API, until when it is served; null: nobody has. */
  endingOf?(name: string): string[] | null;
}

/** Kept for rollback. */
export const MAX_REVISIONS = 10;

export const NO_TRAFFIC: Traffic = { split: {}, aliases: {} };

/** Revisions that can be invoked: the active one first, then those with a share or an alias. */
export function servedRevisions(record: FunctionRecord): Revision[] {
  const named = new Set([...Object.keys(record.traffic.split), ...Object.values(record.traffic.aliases)]);
  named.delete(record.active);
  return [activeRevision(record), ...record.revisions.filter(({ id }) => named.has(id))];
}

/** Of what has instances and a queue of its own: the active revision, or another that is served. */
export function servedKey({ uid, active }: FunctionRecord, revision: string): string {
  return revision === active ? uid : `${uid}@${revision}`;
}

export function activeRevision(record: FunctionRecord): Revision {
  const found = record.revisions.find((revision) => revision.id === record.active);
  if (!found) throw new Error(`function ${record.name} has no revision ${record.active}`);
  return found;
}

/** Names of a revision's secrets that have no value any more: somebody has deleted what they were kept in. */
export function lostSecrets({ secretNames }: Revision, values: Record<string, string> = {}): string[] {
  return secretNames.filter((name) => !Object.hasOwn(values, name));
}
