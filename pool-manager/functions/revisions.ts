import { createHash, randomBytes } from "node:crypto";
import type { LoadSettings } from "../../runtime-images/protocol/messages.ts";
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
  type WindowScaling,
} from "./function.ts";
import { rollbackTarget } from "./history.ts";
import { formatDuration } from "./manifest/duration.ts";
import { AUTO } from "./manifest/idle-timeout.ts";
import type { Manifest } from "./manifest/manifest.ts";
import { shownResources } from "./manifest/resources.ts";
import { begin, isRolling } from "./rollout.ts";
import { checkNamed, withSharesInForce } from "./traffic.ts";

/** The base of a partial change: the rollout's new revision, or else the active one. */
export function baseRevision(record: FunctionRecord): Revision {
  const { rollout } = record;
  return (isRolling(rollout) && record.revisions.find(({ id }) => id === rollout.to)) || activeRevision(record);
}

/** The settings of a record's base revision as a manifest. */
export function manifestOf(record: FunctionRecord, secrets: Record<string, string>): Manifest {
  const { settings, env, loadTimeoutMs } = baseRevision(record);
  const { handler, signature, concurrency, timeoutMs, image = null, command = null, health = null, resources = {} } = settings;
  const called = { runtime: record.runtime, handler, signature, image, command, health };
  return { ...called, resources, concurrency, timeoutMs, loadTimeoutMs, env, secrets, rollout: record.rolloutPolicy, windowScaling: null, ...record.scaling };
}

/** A revision's settings as users write them in a manifest, without secrets. */
export function settingsOf({ runtime, scaling, rolloutPolicy }: FunctionRecord, { settings, env, loadTimeoutMs }: Revision) {
  const { minScale, maxScale, warm, idleTimeoutMs, idleAuto, queueDepth, queueTimeoutMs, windowScaling } = scaling;
  return {
    runtime,
    handler: settings.handler,
    signature: settings.signature,
    image: settings.image ?? null,
    command: settings.command ?? null,
    health: settings.health ?? null,
    env,
    timeout: formatDuration(settings.timeoutMs),
    loadTimeout: formatDuration(loadTimeoutMs),
    concurrency: settings.concurrency,
    ...shownResources(settings.resources),
    minScale,
    maxScale,
    warm: [...(warm ?? [])],
    idleTimeout: idleAuto ? AUTO : formatDuration(idleTimeoutMs),
    queueDepth,
    queueTimeout: formatDuration(queueTimeoutMs),
    scaling: windowScaling ? scalingSettingsOf(windowScaling) : null,
    rollout: rolloutPolicy && policyOf(rolloutPolicy),
  };
}

function policyOf({ steps, intervalMs, parallel, maxErrors }: RolloutPolicy) {
  return { steps, interval: formatDuration(intervalMs), parallel, maxErrors };
}

function scalingSettingsOf({ windowMs, scaleDownDelayMs, ...rest }: WindowScaling) {
  return { window: formatDuration(windowMs), scaleDownDelay: formatDuration(scaleDownDelayMs), ...rest };
}

/** A revision's code. */
export function codeOf(revision: Revision): CodeRef {
  return { layer: revision.layer, entry: revision.settings.entry };
}

/** A record without windows and schedules is what it was before there were any. */
export function scalingOf({ minScale, maxScale, warm, idleTimeoutMs, idleAuto, queueDepth, queueTimeoutMs, windowScaling }: Manifest): Scaling {
  const optional = { ...(warm?.length && { warm }), ...(idleAuto && { idleAuto }), ...(windowScaling && { windowScaling }) };
  return { minScale, maxScale, idleTimeoutMs, queueDepth, queueTimeoutMs, ...optional };
}

/** The newest `MAX_REVISIONS` revisions, plus those that are served and the rollback's target. */
export function retained(record: FunctionRecord): Revision[] {
  const { revisions } = record;
  const excess = revisions.length - MAX_REVISIONS;
  const kept = new Set(servedRevisions(record).map(({ id }) => id)).add(rollbackTarget(record)?.id ?? "");
  return revisions.filter((revision, index) => index >= excess || kept.has(revision.id));
}

/** The revisions that get invocations, and the rollout between them. */
export type Placed = Pick<FunctionRecord, "active" | "traffic" | "rollout">;

/** How a deployment takes effect. */
export interface Placing {
  /** Percentage of the invocations that the revision gets while the active one stays active. */
  canary?: number | undefined;
  /** True: the revision takes over once an instance has loaded it; false: at once; undefined: at once, unless it is already waiting to be loaded. */
  onceLoaded?: boolean | undefined;
}

/** Makes a deployed revision active, at once, once loaded or by a rollout, or gives it a share beside the active one. */
export function deployed(record: FunctionRecord, revision: string, { canary, onceLoaded }: Placing = {}): Placed {
  const { active, traffic, rollout } = record;
  if (active === revision && !isRolling(rollout)) return { active, traffic, rollout };
  if (canary !== undefined && active !== "") return { active, traffic: { ...traffic, split: { [revision]: canary } }, rollout: null };
  return taken(record, revision, { isKnown: isRolling(rollout), onceLoaded });
}

/** Applies a declaration; does not restart a rollout of the same revision that has ended. Throws `TRAFFIC_INVALID`. */
export function declared(record: FunctionRecord, revision: string, { active, traffic }: Pick<Declaration, "active" | "traffic">): Placed {
  checkNamed(traffic);
  if (active !== null || Object.keys(traffic.split).length > 0) return { active: active ?? revision, traffic, rollout: null };
  return taken({ ...record, traffic: withSharesInForce(traffic, record.traffic) }, revision, {
    isKnown: record.rollout !== null && record.rollout.state !== "complete",
  });
}

/** `isKnown`: an earlier rollout of the same revision keeps its progress, unless it no longer has to wait. */
function taken(record: FunctionRecord, revision: string, { isKnown, onceLoaded }: Pick<Placing, "onceLoaded"> & { isKnown: boolean }): Placed {
  const { active, traffic, rollout, rolloutPolicy } = record;
  const waits = rolloutPolicy !== null || (rollout?.onceLoaded && onceLoaded !== false);
  if (isKnown && rollout?.to === revision && (waits || !isRolling(rollout))) return { active, traffic, rollout };
  if (active === "" || active === revision || !(rolloutPolicy || onceLoaded)) return atOnce(record, revision);
  return begin(record, revision, rolloutPolicy === null);
}

/** Makes a revision active with all invocations. */
export function atOnce({ traffic }: FunctionRecord, revision: string): Placed {
  return { active: revision, traffic: { ...traffic, split: {} }, rollout: null };
}

/** A function without revisions. */
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

/** Builds the code image of a revision; returns its digest. */
export type BuildImage = (name: string, revision: string, identity: string, layer: string) => Promise<string>;

/** The next revision of a function, with its code image built. Throws `MANIFEST_INVALID` if the manifest names another runtime. */
export async function nextRevision(record: FunctionRecord, manifest: Manifest, code: CodeRef, hash: string, build: BuildImage): Promise<Revision> {
  if (manifest.runtime !== record.runtime) {
    throw new ManagerError("MANIFEST_INVALID", `runtime: ${record.name} runs on ${record.runtime}; delete it first`, "runtime");
  }
  const id = `r${record.nextRevision}`;
  const image = await build(record.name, id, identityOf(record.uid, hash), code.layer);
  return newRevision({ id, hash, image, code, manifest });
}

/** `image`: digest of its code image. */
function newRevision(of: { id: string; hash: string; image: string; code: CodeRef; manifest: Manifest }): Revision {
  const { id, hash, image, code, manifest } = of;
  const { handler, signature, concurrency, timeoutMs, loadTimeoutMs, env, secrets } = manifest;
  const settings = { entry: code.entry, handler, signature, concurrency, timeoutMs };
  return {
    id,
    hash,
    createdAt: new Date().toISOString(),
    layer: code.layer,
    image,
    settings: { ...settings, ...commandOf(manifest), ...limitsOf(manifest) },
    loadTimeoutMs,
    env,
    secretNames: Object.keys(secrets).sort(),
    activatedAt: null,
  };
}

/** The settings of a command; those of other runtimes are what they were before there were any. */
function commandOf({ image, command, health }: Manifest): Pick<LoadSettings, "image" | "command" | "health"> {
  return { ...(image !== null && { image }), ...(command !== null && { command }), ...(health !== null && { health }) };
}

/** The limits of a revision; a revision without any is what it was before there were any. */
function limitsOf({ resources }: Manifest): Pick<LoadSettings, "resources"> {
  return Object.keys(resources).length > 0 ? { resources } : {};
}

/** Throws `REVISION_NOT_FOUND` if invocations would go to a revision that does not exist. */
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
  const command = Object.entries(commandOf(manifest));
  const limits = Object.entries(manifest.resources).sort(([a], [b]) => (a < b ? -1 : 1));
  return sha256(JSON.stringify([code, runtime, handler, signature, timeoutMs, loadTimeoutMs, concurrency, variables, ...command, ...limits]));
}

/** Identity of a revision's code image: two functions with the same files have different images. */
export function identityOf(functionUid: string, hash: string): string {
  return sha256(`${functionUid}\n${hash}`);
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
