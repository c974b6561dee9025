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
  specializedAt(uid: string): number;
}

/** One instance with its echo, its use, and our own writes that it does not show yet. */
export function viewInstance(instance: Instance, known: Knowledge): InstanceView {
  const { uid, echo, binding } = instance;
  const use = known.uses.get(uid);
  const view: InstanceView = {
    uid,
    pool: instance.pool,
    resourceVersion: instance.resourceVersion,
    bootId: echo?.bootId ?? "",
    epoch: echo?.epoch ?? 0,
    state: echo?.state ?? "starting",
    functionUid: echo?.functionUid ?? null,
    revision: echo?.revision ?? null,
    boundTo: binding?.functionUid ?? null,
    boundRevision: binding?.revision ?? null,
    binding: known.isBinding(uid),
    createdAt: instance.createdAt,
    readyAt: instance.readyAt ?? instance.createdAt,
    specializedAt: known.specializedAt(uid),
    lastUsedAt: Math.max(use?.lastUsedAt ?? 0, known.specializedAt(uid), instance.createdAt),
    inFlight: use?.inFlight ?? 0,
    suspect: echo !== null && known.suspects.get(uid) === echo.bootId,
    removing: instance.removing || known.isLeaving(uid),
    deleting: instance.removing,
  };
  const claim = known.expectations.claim(uid);
  const unseen = claim && claim.epoch > view.epoch && (view.state === "prewarmed" || view.state === "warm");
  return unseen ? { ...view, state: "specializing", functionUid: claim.functionUid, revision: claim.revision } : view;
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
