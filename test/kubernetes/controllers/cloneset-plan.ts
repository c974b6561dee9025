import { type ApiObject, valueAt } from "../objects/object.ts";
import { hasEnded } from "./pod-rules.ts";

export interface CloneSetObject extends ApiObject {
  spec: {
    replicas: number;
    selector: { matchLabels: Record<string, string> };
    scaleStrategy?: { maxUnavailable?: number | string; podsToDelete?: string[] };
    updateStrategy?: { partition?: number | string; paused?: boolean };
    template: { metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }; spec: { containers: { name: string; image: string }[] } };
  };
  status?: { observedGeneration?: number; currentRevision?: string; updateRevision?: string; replicas?: number; conditions?: object[] };
}

/** Kruise's next actions on a CloneSet. */
export interface CloneSetPlan {
  create: number;
  /** How many of the created pods have the former template. */
  createFormer: number;
  remove: ApiObject[];
  /** Pods that it changes to the template's revision in place. */
  update: ApiObject[];
}

export const REVISION_LABEL = "controller-revision-hash";

/** Pods that count: of this owner, not ended, not on their way out. */
export function activePods(set: ApiObject, pods: readonly ApiObject[]): ApiObject[] {
  const owns = (pod: ApiObject) => pod.metadata.ownerReferences?.some(({ controller, uid }) => controller && uid === set.metadata.uid);
  return pods.filter((pod) => owns(pod) && !pod.metadata.deletionTimestamp && !hasEnded(pod));
}

/**
 * The plan follows Kruise 1.8 (pkg/controller/cloneset/sync/cloneset_scale.go):
 *
 * | pods and replicas | what is done                                                                                   |
 * |-------------------|------------------------------------------------------------------------------------------------|
 * | too few           | as many are created as `scaleStrategy.maxUnavailable` lets be not ready; nothing is deleted then |
 * |                   | of the former template, as many as the partition lacks (paused or not)                         |
 * | some are named    | exactly those of `podsToDelete` are deleted                                                    |
 * | too many          | the surplus is deleted: those that are not ready first, then the youngest                     |
 */
export function planOf(set: CloneSetObject, active: readonly ApiObject[], revision: string): CloneSetPlan {
  const { replicas, scaleStrategy } = set.spec;
  const missing = replicas - active.length;
  const update = updatesOf(set, active, revision);
  if (missing > 0) {
    const unready = active.filter((pod) => !isReady(pod)).length;
    const most = scaleStrategy?.maxUnavailable === undefined ? missing : absolute(scaleStrategy.maxUnavailable, replicas) - unready;
    const create = Math.max(0, Math.min(missing, most));
    const former = active.filter((pod) => !isUpdated(pod, revision)).length;
    const createFormer = Math.max(0, Math.min(create, absolute(set.spec.updateStrategy?.partition ?? 0, replicas) - former));
    return { create, createFormer, remove: [], update };
  }
  const named = new Set(scaleStrategy?.podsToDelete ?? []);
  const chosen = active.filter(({ metadata }) => named.has(metadata.name));
  const surplus = [...active].sort(byWorth).slice(0, active.length - replicas);
  return { create: 0, createFormer: 0, remove: chosen.length > 0 ? chosen : surplus, update };
}

function updatesOf({ spec }: CloneSetObject, active: readonly ApiObject[], revision: string): ApiObject[] {
  const { partition = 0, paused } = spec.updateStrategy ?? {};
  const old = active.filter((pod) => !isUpdated(pod, revision));
  const kept = absolute(partition, spec.replicas);
  return paused ? [] : old.slice(0, Math.max(0, old.length - kept));
}

function isUpdated({ metadata }: ApiObject, revision: string): boolean {
  return metadata.labels?.[REVISION_LABEL] === revision;
}

/** A percentage is of the replicas, rounded up. */
function absolute(value: number | string, replicas: number): number {
  return typeof value === "number" ? value : Math.ceil((Number.parseInt(value, 10) / 100) * replicas);
}

/** Those that go first come first. */
function byWorth(a: ApiObject, b: ApiObject): number {
  if (isReady(a) !== isReady(b)) return isReady(a) ? 1 : -1;
  return Date.parse(b.metadata.creationTimestamp) - Date.parse(a.metadata.creationTimestamp) || (a.metadata.name < b.metadata.name ? 1 : -1);
}

export function isReady(pod: ApiObject): boolean {
  const conditions = (valueAt(pod, ["status", "conditions"]) ?? []) as { type: string; status: string }[];
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}
