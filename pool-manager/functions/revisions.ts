import { createHash, randomBytes } from "node:crypto";
import { ManagerError } from "../errors.ts";
import {
  activeRevision,
  type CodeRef,
  type Declaration,
  type FunctionRecord,
  MAX_REVISIONS,
  NO_TRAFFIC,
  type Revision,
  type RolloutPolicy,
  type Scaling,
  servedRevisions,
} from "./function.ts";
import { rollbackTarget } from "./history.ts";
import { formatDuration } from "./manifest/duration.ts";
import type { Manifest } from "./manifest/manifest.ts";
import { begin, isRolling } from "./rollout.ts";

/** What a partial change starts from: the revision that takes over, else the active one. */
export function baseRevision(record: FunctionRecord): Revision {
  const { rollout } = record;
  return (isRolling(rollout) && record.revisions.find(({ id }) => id === rollout.to)) || activeRevision(record);
}

/** The settings of a record's base revision as a manifest: the base of a partial change. */
export function manifestOf(record: FunctionRecord, secrets: Record<string, string>): Manifest {
  const { settings, env, loadTimeoutMs } = baseRevision(record);
  const { handler, signature, concurrency, timeoutMs } = settings;
  return { runtime: record.runtime, handler, signature, concurrency, timeoutMs, loadTimeoutMs, env, secrets, rollout: record.rolloutPolicy, ...record.scaling };
}

/** A revision's settings as users write them in a manifest; secrets apart. */
export function settingsOf({ runtime, scaling, rolloutPolicy }: FunctionRecord, { settings, env, loadTimeoutMs }: Revision) {
  const { minScale, maxScale, idleTimeoutMs, queueDepth, queueTimeoutMs } = scaling;
  return {
    runtime,
    handler: settings.handler,
    signature: settings.signature,
    env,
    timeout: formatDuration(settings.timeoutMs),
    loadTimeout: formatDuration(loadTimeoutMs),
    concurrency: settings.concurrency,
    minScale,
    maxScale,
    idleTimeout: formatDuration(idleTimeoutMs),
    queueDepth,
    queueTimeout: formatDuration(queueTimeoutMs),
    rollout: rolloutPolicy && policyOf(rolloutPolicy),
  };
}

function policyOf({ steps, intervalMs, parallel, maxErrors }: RolloutPolicy) {
  return { steps, interval: formatDuration(intervalMs), parallel, maxErrors };
}

/** The code that a revision is made of. */
export function codeOf(revision: Revision): CodeRef {
  return { layer: revision.layer, entry: revision.settings.entry };
}

export function scalingOf({ minScale, maxScale, idleTimeoutMs, queueDepth, queueTimeoutMs }: Manifest): Scaling {
  return { minScale, maxScale, idleTimeoutMs, queueDepth, queueTimeoutMs };
}

/** The newest revisions, and in any case those that can be invoked and the one that a rollback goes to. */
export function retained(record: FunctionRecord): Revision[] {
  const { revisions } = record;
  const excess = revisions.length - MAX_REVISIONS;
  const kept = new Set(servedRevisions(record).map(({ id }) => id)).add(rollbackTarget(record)?.id ?? "");
  return revisions.filter((revision, index) => index >= excess || kept.has(revision.id));
}

/** Which revision gets the invocations, and how another one gets there. */
export type Placed = Pick<FunctionRecord, "active" | "traffic" | "rollout">;

/** How a deployment is to take effect. */
export interface Placing {
  /** Percent of the invocations that the revision gets beside the active one, which stays. */
  canary?: number | undefined;
  /** It takes over when an instance has it loaded, and not before; false: at once; undefined: at once, unless it waits for that already. */
  onceLoaded?: boolean | undefined;
}

/** A deployed revision becomes the active one, at once, once loaded or by a rollout, or gets a share beside it. */
export function deployed(record: FunctionRecord, revision: string, { canary, onceLoaded }: Placing = {}): Placed {
  const { active, traffic, rollout } = record;
  if (active === revision && !isRolling(rollout)) return { active, traffic, rollout };
  if (canary !== undefined && active !== "") return { active, traffic: { ...traffic, split: { [revision]: canary } }, rollout: null };
  return taken(record, revision, { isKnown: isRolling(rollout), onceLoaded });
}

/** What somebody declares to be in force: a rollout of it that was ended is not begun again. */
export function declared(record: FunctionRecord, revision: string, { active, traffic }: Pick<Declaration, "active" | "traffic">): Placed {
  if (active !== null || Object.keys(traffic.split).length > 0) return { active: active ?? revision, traffic, rollout: null };
  const { split } = record.traffic;
  return taken({ ...record, traffic: { ...traffic, split } }, revision, { isKnown: record.rollout !== null && record.rollout.state !== "complete" });
}

/** `isKnown`: where this very revision was to take over before, it stays at how far it has got, unless nobody wants it to wait any more. */
function taken(record: FunctionRecord, revision: string, { isKnown, onceLoaded }: Pick<Placing, "onceLoaded"> & { isKnown: boolean }): Placed {
  const { active, traffic, rollout, rolloutPolicy } = record;
  const waits = rolloutPolicy !== null || (rollout?.onceLoaded && onceLoaded !== false);
  if (isKnown && rollout?.to === revision && (waits || !isRolling(rollout))) return { active, traffic, rollout };
  if (active === "" || active === revision || !(rolloutPolicy || onceLoaded)) return atOnce(record, revision);
  return begin(record, revision, rolloutPolicy === null);
}

/** A revision gets all invocations from now on. */
export function atOnce({ traffic }: FunctionRecord, revision: string): Placed {
  return { active: revision, traffic: { ...traffic, split: {} }, rollout: null };
}

/** A function that has no revision yet. */
export function newFunction(name: string, manifest: Manifest): FunctionRecord {
  return {
    uid: randomBytes(12).toString("hex"),
    name,
    runtime: manifest.runtime,
    createdAt: new Date().toISOString(),
    active: "",
    latest: "",
    traffic: NO_TRAFFIC,
    nextRevision: 1,
    scaling: scalingOf(manifest),
    rolloutPolicy: manifest.rollout,
    rollout: null,
    history: [],
    revisions: [],
  };
}

/** `image`: digest of its code image. */
export function newRevision(of: { id: string; hash: string; image: string; code: CodeRef; manifest: Manifest }): Revision {
  const { id, hash, image, code, manifest } = of;
  const { handler, signature, concurrency, timeoutMs, loadTimeoutMs, env, secrets } = manifest;
  return {
    id,
    hash,
    createdAt: new Date().toISOString(),
    layer: code.layer,
    image,
    settings: { entry: code.entry, handler, signature, concurrency, timeoutMs },
    loadTimeoutMs,
    env,
    secretNames: Object.keys(secrets).sort(),
    activatedAt: null,
  };
}

/** Throws `REVISION_NOT_FOUND` where invocations would go to a revision that there is not. */
export function checkServed({ name, active, traffic, revisions }: FunctionRecord): void {
  for (const id of [active, ...Object.keys(traffic.split), ...Object.values(traffic.aliases)]) checkRevision({ name, revisions }, id);
}

/** Throws `REVISION_NOT_FOUND`. */
export function checkRevision({ name, revisions }: Pick<FunctionRecord, "name" | "revisions">, revision: string): void {
  if (revisions.some(({ id }) => id === revision)) return;
  throw new ManagerError("REVISION_NOT_FOUND", `${name} has no revision ${JSON.stringify(revision)}`, "revision");
}

/** Equal for equal content. */
export function hashOf(manifest: Manifest, code: CodeRef): string {
  const { runtime, handler, signature, timeoutMs, loadTimeoutMs, concurrency } = manifest;
  const variables = [manifest.env, manifest.secrets].map((map) => Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
  return sha256(JSON.stringify([code, runtime, handler, signature, timeoutMs, loadTimeoutMs, concurrency, variables]));
}

/** What tells a revision's code image from every other one: two functions with the same files have two. */
export function identityOf(functionUid: string, hash: string): string {
  return sha256(`${functionUid}\n${hash}`);
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
