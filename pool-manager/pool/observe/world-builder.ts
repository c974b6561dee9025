import type { InstanceState } from "../../../runtime-images/protocol/messages.ts";
import { type FunctionRecord, hasImage, type Revision, servedKey } from "../../functions/function.ts";
import type { FunctionEnd } from "../../functions/retention.ts";
import { isRolling, movedAt, paceOf, percentOf } from "../../functions/rollout.ts";
import { keptBeside } from "../../functions/traffic.ts";
import { type Instance, isAdopted } from "../../platform/platform.ts";
import type { InstanceView, RevisionTarget } from "../decide/world.ts";
import type { Use } from "./demand.ts";
import type { Expectations } from "./expectations.ts";
import { UNKNOWN_MS } from "./router-presence.ts";

/** The pool manager's knowledge of instances beyond the platform's observation. */
export interface Knowledge {
  now: number;
  expectations: Expectations;
  uses: ReadonlyMap<string, Use>;
  /** `never`: no router has reported yet; `deaf`: none reports any more, and at least one may still be serving. */
  routers: "heard" | "never" | "deaf";
  suspects: ReadonlyMap<string, string>;
  isLeaving(uid: string): boolean;
  isRefused(uid: string): boolean;
  isBinding(uid: string): boolean;
  isSilent(uid: string): boolean;
  specializedAt(uid: string): number;
}

/** The states in which an instance accepts a load order. */
const CLAIMED: ReadonlySet<InstanceState> = new Set(["prewarmed", "specializing", "warm"]);

/** One instance with its echo, its use, and the writes that its echo does not show yet. */
export function viewInstance(instance: Instance, known: Knowledge): InstanceView {
  const { uid } = instance;
  const specializedAt = known.specializedAt(uid);
  const use = known.uses.get(uid) ?? { inFlight: 0, lastUsedAt: 0, unsure: false };
  const view: InstanceView = {
    uid,
    pool: instance.pool,
    resourceVersion: instance.resourceVersion,
    ...saidByItself(instance),
    boundTo: instance.binding?.functionUid ?? null,
    boundRevision: instance.binding?.revision ?? null,
    binding: known.isBinding(uid),
    ordering: false,
    createdAt: instance.createdAt,
    seenAt: instance.seenAt,
    runningSince: instance.runningSince,
    readyAt: instance.readyAt ?? instance.seenAt,
    specializedAt,
    lastUsedAt: Math.max(use.lastUsedAt, specializedAt, instance.seenAt),
    inFlight: use.inFlight,
    unsure: use.unsure || nobodyKnows(instance, known),
    suspect: known.isSilent(uid) || (instance.echo !== null && known.suspects.get(uid) === instance.echo.bootId),
    obstacle: instance.obstacle,
    replace: instance.replace,
    removing: instance.removing || (known.isLeaving(uid) && !known.isRefused(uid)),
    refused: known.isRefused(uid),
    deleting: instance.removing,
  };
  const claim = known.expectations.claim(uid);
  const unseen = claim && claim.epoch > view.epoch && CLAIMED.has(view.state);
  return unseen ? { ...view, ordering: true, state: "specializing", functionUid: claim.functionUid, revision: claim.revision } : view;
}

/** An instance that was created at `now` and has not said anything yet, for worlds that are simulated. */
export function createdInstance(uid: string, pool: string, now: number): InstanceView {
  return {
    uid,
    pool,
    resourceVersion: "1",
    bootId: uid,
    epoch: 0,
    state: "starting",
    functionUid: null,
    revision: null,
    boundTo: null,
    boundRevision: null,
    binding: false,
    createdAt: now,
    seenAt: now,
    runningSince: now,
    readyAt: now,
    specializedAt: 0,
    lastUsedAt: now,
    ordering: false,
    inFlight: 0,
    unsure: false,
    suspect: false,
    obstacle: null,
    replace: null,
    removing: false,
    refused: false,
    deleting: false,
  };
}

/** True if no live router can say whether it is in use. An adopted instance may have been in use before this pool manager started. */
function nobodyKnows(instance: Instance, { routers, now }: Knowledge): boolean {
  return routers === "deaf" || (routers === "never" && isAdopted(instance) && now - instance.seenAt <= UNKNOWN_MS);
}

function saidByItself({ echo, obstacle }: Instance): Pick<InstanceView, "bootId" | "epoch" | "state" | "functionUid" | "revision"> {
  if (!echo) return { bootId: "", epoch: 0, state: obstacle?.kind === "ended" ? "failed" : "starting", functionUid: null, revision: null };
  const { bootId, epoch, state, functionUid, revision } = echo;
  return { bootId, epoch, state, functionUid, revision };
}

/** Functions that instances belong to and the registry does not know, which does not prove that they were deleted. */
export function unknownFunctions(
  instances: Iterable<Instance>,
  functions: { byUid(uid: string): FunctionRecord | undefined; endOf(uid: string): FunctionEnd | null },
): Map<string, FunctionEnd | "unproven"> {
  const owners = new Set([...instances].flatMap(({ echo, binding }) => echo?.functionUid ?? binding?.functionUid ?? []));
  const unknown = [...owners].filter((uid) => !functions.byUid(uid));
  return new Map(unknown.map((uid) => [uid, functions.endOf(uid) ?? "unproven"]));
}

/**
 * The target of a served revision. `minScale`, which a schedule may have raised, applies to the active one; in a rollout, the
 * new one takes its share of it, but at least one instance until it is known to load. Other revisions have what `minScales` of
 * the traffic says. `maxScale` applies to each revision separately.
 */
export function revisionTargetOf(
  record: FunctionRecord,
  { id, settings }: Revision,
  blockedUntil: number,
  minScale = record.scaling.minScale,
  pool = record.runtime,
): RevisionTarget {
  const { maxScale, idleTimeoutMs, windowScaling = null } = record.scaling;
  const active = id === record.active;
  const { rollout } = record;
  const pace = paceOf(record);
  const rolling = isRolling(rollout) && pace ? rollout : null;
  // With `onceLoaded`, the revision's present share is not a step of the rollout.
  const percent = rolling && !rolling.onceLoaded ? percentOf(record, rolling) : 0;
  const moved = rolling ? movedAt(percent, minScale) : 0;
  const takesOver = rolling?.to === id && pace ? { percent, parallel: pace.parallel, minScale } : null;
  return {
    key: servedKey(record, id),
    uid: record.uid,
    active,
    pool,
    revision: id,
    concurrency: settings.concurrency,
    timeoutMs: settings.timeoutMs,
    ...(active && !rolling && minScale > record.scaling.minScale && { scheduled: minScale - record.scaling.minScale }),
    ...(settings.resources?.memoryBytes !== undefined && { memoryBytes: settings.resources.memoryBytes }),
    minScale: active ? minScale - moved : takesOver ? Math.max(moved, rolling?.watching ? 0 : 1) : keptBeside(record, id),
    maxScale,
    idleTimeoutMs,
    windowScaling,
    blockedUntil,
    takesOver,
    isAwaited: takesOver?.percent === 0,
    byImage: hasImage(record),
  };
}
