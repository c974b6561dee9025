import type { LoadSettings } from "../../runtime-images/protocol/messages.ts";
import type { Manifest } from "./manifest/manifest.ts";

/** A revision's code in the image store. */
export interface CodeRef {
  layer: string;
  entry: string;
}

/** Immutable code and settings; a change makes a new revision. */
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
  /** When it last became the active revision; null if it never was. */
  activatedAt: string | null;
}

/** Scaling by the average concurrency of a window; see docs/scaling.md. */
export interface WindowScaling {
  windowMs: number;
  /** Percentage of its concurrency that an instance has on average. */
  target: number;
  /** How long fewer instances must be wanted before any is removed. */
  scaleDownDelayMs: number;
  /** The least number of instances while any is wanted. */
  activationScale: number;
  /** The factor by which serving instances may grow in number at a time. */
  maxScaleUpRate: number;
}

/** Scaling and queue settings; a change makes no new revision. */
export interface Scaling {
  minScale: number;
  maxScale: number;
  idleTimeoutMs: number;
  /** True if idle instances are kept as the recorded idle times say; `idleTimeoutMs` is then the standard time. */
  idleAuto?: boolean;
  queueDepth: number;
  queueTimeoutMs: number;
  /** Schedules that raise `minScale`, as they were set; absent: none. */
  warm?: readonly string[];
  /** Absent or null: by the present demand. */
  windowScaling?: WindowScaling | null;
}

/** How invocations are split among a function's revisions. */
export interface Traffic {
  /** Percentage of the invocations by revision; the rest goes to the active one. */
  split: Record<string, number>;
  /** Revision by alias, which is invoked as `NAME@ALIAS`, whatever the split. */
  aliases: Record<string, string>;
  /** Instances that are kept of revisions beside the active one, by revision; each has a share or an alias. Absent: none. */
  minScales?: Record<string, number>;
}

/** How a new revision takes over gradually. */
export interface RolloutPolicy {
  /** The new revision's size after each step: a number of instances, or a share such as "25%". After the last step it has all. */
  steps: (number | string)[];
  /** How long each step is observed before the next. */
  intervalMs: number;
  /** Maximum number of instances that change at a time. */
  parallel: number;
  /** Percentage of its invocations that may fail. */
  maxErrors: number;
}

/** The current or the last rollout of a function; the new revision's share is kept in `traffic`. */
export interface Rollout {
  from: string;
  to: string;
  /** Index into the policy's steps; beyond the last, the revision gets everything. */
  step: number;
  /** True once the step's share and instances are reached, and the step is being observed. */
  watching: boolean;
  /** `undone`: by a user; `stopped`: because of a failure. */
  state: "rolling" | "paused" | "undone" | "stopped" | "complete";
  reason: string | null;
  startedAt: string;
  /** True if it takes over as soon as an instance has loaded it, whatever the policy; if absent, the policy applies. */
  onceLoaded?: boolean;
}

/** A deployed function. Each creation has a new `uid`: a name that is deleted and recreated is another function. */
export interface FunctionRecord {
  uid: string;
  name: string;
  runtime: string;
  createdAt: string;
  /** Id of the revision that receives all invocations that `traffic` leaves. */
  active: string;
  /** Id of the last deployed revision; another one may be active after a rollback or during a canary. */
  latest: string;
  traffic: Traffic;
  nextRevision: number;
  scaling: Scaling;
  /** Null if a new revision takes over at once. */
  rolloutPolicy: RolloutPolicy | null;
  /** The current or last rollout; null if the last revision took over at once. */
  rollout: Rollout | null;
  /** Ids of the revisions in the order in which they became active, the active one last; without those that a rollback undid. */
  history: string[];
  /** Oldest first: the newest `MAX_REVISIONS`, and older ones that are served or the target of a rollback. */
  revisions: Revision[];
}

/** Secret values of a function, by revision and name. */
export type Secrets = Record<string, Record<string, string>>;

/** The recoverable part of a revision whose function's record is lost. */
export interface Former {
  uid: string;
  revision: string;
  /** Hash of the uid and of the revision's content (`identityOf`). */
  identity: string;
  /** Number of the latest revision of which anything is left. */
  highest: number;
  /** Its secret values, as far as they are left. */
  secrets: Record<string, string>;
}

/** A function declared in the store itself, as a custom resource for example, not by the API. */
export interface Declaration {
  name: string;
  /** The revisions that can be recovered of functions of this name if the store has no record of it. */
  former(): Promise<readonly Former[]>;
  /** Throws `MANIFEST_INVALID` with the field. `kept` returns the secrets in force, for a declaration that names none; it throws `SECRETS_LOST`. */
  manifest(kept: () => Record<string, string>): Promise<Manifest>;
  /** Throws `CODE_UNKNOWN`, `CODE_INVALID` or `STORE_FAILED`. */
  code(): Promise<CodeRef>;
  /** Revision that must become active; null for the declared one. */
  active: string | null;
  traffic: Traffic;
  /** The store's version of the declaration. */
  version: number;
  /** False once it has been ingested, for example because the API itself wrote it. */
  isPending(): boolean;
}

export interface DeclarationListener {
  /** Rejects with a `ManagerError` if the declaration is invalid; what is in force stays. */
  declared(declaration: Declaration): Promise<void>;
  withdrawn(name: string): Promise<void>;
}

/** Store of functions. Each write is atomic, and durable when it resolves. */
export interface FunctionStore {
  load(): Promise<{ record: FunctionRecord; secrets: Secrets }[]>;
  /** Stores a record, and the declaration that it follows from, if any, as ingested; the declaration itself is unchanged. */
  save(record: FunctionRecord, secrets: Secrets, declaration?: Declaration): Promise<void>;
  /** Stores a rollout's progress; the declared state is unchanged. */
  progress(record: FunctionRecord, secrets: Secrets): Promise<void>;
  remove(record: FunctionRecord): Promise<void>;
  /** The holders of a function that somebody has deleted past the API: until they let go, it is served. Null: nobody has deleted it. */
  endingOf?(name: string): string[] | null;
}

/** Maximum number of revisions that are kept for rollback. */
export const MAX_REVISIONS = 10;

export const NO_TRAFFIC: Traffic = { split: {}, aliases: {} };

/** Revisions that can be invoked: the active one first, then those with a share or an alias. */
export function servedRevisions(record: FunctionRecord): Revision[] {
  const named = new Set([...Object.keys(record.traffic.split), ...Object.values(record.traffic.aliases)]);
  named.delete(record.active);
  return [activeRevision(record), ...record.revisions.filter(({ id }) => named.has(id))];
}

/** The key of a served revision's instances, queue and demand: the function's uid, or `uid@revision` for one that is not active. */
export function servedKey({ uid, active }: FunctionRecord, revision: string): string {
  return revision === active ? uid : `${uid}@${revision}`;
}

export function activeRevision(record: FunctionRecord): Revision {
  const found = record.revisions.find((revision) => revision.id === record.active);
  if (!found) throw new Error(`function ${record.name} has no revision ${record.active}`);
  return found;
}

/** Whether a function is an image, or was one: its new revisions take new instances. */
export function hasImage({ revisions }: Pick<FunctionRecord, "revisions">): boolean {
  return revisions.some(({ settings: { image } }) => image !== undefined);
}

/** Names of a revision's secrets whose values are lost, because their storage was deleted. */
export function lostSecrets({ secretNames }: Revision, values: Record<string, string> = {}): string[] {
  return secretNames.filter((name) => !Object.hasOwn(values, name));
}
