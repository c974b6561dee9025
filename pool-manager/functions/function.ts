import type { LoadSettings } from "../../runtime-images/protocol/messages.ts";

/** Immutable: code and settings. A changed one is a new revision. */
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
}

/** How many instances, and how long invocations wait: changing it makes no revision. */
export interface Scaling {
  minScale: number;
  maxScale: number;
  idleTimeoutMs: number;
  queueDepth: number;
  queueTimeoutMs: number;
}

/** A deployed function. `uid` is new for each creation: a deleted and recreated name is another function. */
export interface FunctionRecord {
  uid: string;
  name: string;
  runtime: string;
  createdAt: string;
  /** Id of the revision that receives all traffic. */
  active: string;
  nextRevision: number;
  scaling: Scaling;
  /** Oldest first, at most `MAX_REVISIONS`. */
  revisions: Revision[];
}

/** Secrets of a function, by revision. */
export type Secrets = Record<string, Record<string, string>>;

/** Where functions are kept. Each write is atomic and durable when it resolves. */
export interface FunctionStore {
  load(): Promise<{ record: FunctionRecord; secrets: Secrets }[]>;
  save(record: FunctionRecord, secrets: Secrets): Promise<void>;
  remove(record: FunctionRecord): Promise<void>;
}

/** Kept for rollback. */
export const MAX_REVISIONS = 10;

export function activeRevision(record: FunctionRecord): Revision {
  const found = record.revisions.find((revision) => revision.id === record.active);
  if (!found) throw new Error(`function ${record.name} has no revision ${record.active}`);
  return found;
}
