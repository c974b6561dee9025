import type { Echo } from "../../runtime-images/protocol/messages.ts";
import type { FunctionRecord } from "../functions/function.ts";
import { activeRevision } from "../functions/function.ts";
import type { Instance } from "../platform/platform.ts";
import type { Expectations } from "./expectations.ts";
import type { FunctionSpec, InstanceView } from "./state.ts";

/** What is known of instances beside the platform's own record. */
export interface Knowledge {
  expectations: Expectations;
  uses: ReadonlyMap<string, { inFlight: number; lastUsedAt: number }>;
  suspects: ReadonlyMap<string, string>;
  isLeaving(uid: string): boolean;
  isBinding(uid: string): boolean;
  isSilent(uid: string): boolean;
  specializedAt(uid: string): number;
}

/** One instance with its echo, its use, and our own writes that it does not show yet. */
export function viewInstance(instance: Instance, known: Knowledge): InstanceView {
  const { uid } = instance;
  const specializedAt = known.specializedAt(uid);
  const use = known.uses.get(uid) ?? { inFlight: 0, lastUsedAt: 0 };
  const view: InstanceView = {
    uid,
    pool: instance.pool,
    resourceVersion: instance.resourceVersion,
    ...saidByItself(instance.echo),
    boundTo: instance.binding?.functionUid ?? null,
    boundRevision: instance.binding?.revision ?? null,
    binding: known.isBinding(uid),
    createdAt: instance.createdAt,
    readyAt: instance.readyAt ?? instance.createdAt,
    specializedAt,
    lastUsedAt: Math.max(use.lastUsedAt, specializedAt, instance.createdAt),
    inFlight: use.inFlight,
    suspect: known.isSilent(uid) || (instance.echo !== null && known.suspects.get(uid) === instance.echo.bootId),
    removing: instance.removing || known.isLeaving(uid),
    deleting: instance.removing,
  };
  const claim = known.expectations.claim(uid);
  const unseen = claim && claim.epoch > view.epoch && (view.state === "prewarmed" || view.state === "warm");
  return unseen ? { ...view, state: "specializing", functionUid: claim.functionUid, revision: claim.revision } : view;
}

function saidByItself(echo: Echo | null): Pick<InstanceView, "bootId" | "epoch" | "state" | "functionUid" | "revision"> {
  if (!echo) return { bootId: "", epoch: 0, state: "starting", functionUid: null, revision: null };
  const { bootId, epoch, state, functionUid, revision } = echo;
  return { bootId, epoch, state, functionUid, revision };
}

export function specOf(record: FunctionRecord, blockedUntil: number): FunctionSpec {
  const { settings } = activeRevision(record);
  const { minScale, maxScale, idleTimeoutMs } = record.scaling;
  return {
    uid: record.uid,
    pool: record.runtime,
    revision: record.active,
    concurrency: settings.concurrency,
    timeoutMs: settings.timeoutMs,
    minScale,
    maxScale,
    idleTimeoutMs,
    blockedUntil,
  };
}
