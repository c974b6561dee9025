import { isDeepStrictEqual } from "node:util";
import { type FunctionRecord, NO_TRAFFIC, type Traffic } from "../../functions/function.ts";
import { formerHistory } from "../../functions/history.ts";
import { formatDuration, parseDuration } from "../../functions/manifest/duration.ts";
import { DEFAULTS, ROLLOUT, WINDOW_SCALING } from "../../functions/manifest/manifest.ts";
import { settingsOf } from "../../functions/revisions.ts";
import { withoutEnded } from "../../functions/traffic.ts";
import type { KubeObject } from "../../kubernetes/objects.ts";
import { isWhole } from "../stored-record.ts";
import type { Condition } from "./status/conditions.ts";

/** The declaration by a user, or by the API on a user's behalf: the manifest's fields as they were written, code and traffic. */
export interface FunctionResourceSpec {
  code?: { digest?: string; files?: Record<string, string> };
  traffic?: { active?: string; split?: Record<string, number>; aliases?: Record<string, string>; minScales?: Record<string, number> };
  secretRef?: string;
  [field: string]: unknown;
}

/** The function's record, as the pool manager derived it from the declaration. */
export interface FunctionStatus extends Partial<Omit<FunctionRecord, "name" | "createdAt">> {
  observedGeneration?: number;
  term?: number;
  warm?: number;
  /** Label selector of its instances' pods. */
  selector?: string;
  /** The ingested state of the Secret that `secretRef` names. */
  secret?: string;
  conditions?: Condition[];
}

export interface FunctionResource extends KubeObject {
  spec: FunctionResourceSpec;
  status?: FunctionStatus;
}

type Whole = FunctionStatus & Required<Pick<FunctionStatus, "uid" | "active" | "scaling" | "revisions">>;

const DURATIONS = new Set(["timeout", "loadTimeout", "idleTimeout", "queueTimeout"]);

/** The record in a resource's status; null: it has none yet, or an incomplete one. */
export function resourceRecordOf({ metadata, status }: FunctionResource): FunctionRecord | null {
  if (!isWhole(status)) return null;
  const { uid, runtime = "node", active, latest = active, nextRevision = 1, traffic, scaling, revisions } = status as Whole;
  const { rolloutPolicy = null, rollout = null, history = formerHistory({ active, revisions }) } = status as Whole;
  return {
    uid,
    name: metadata.name,
    runtime,
    createdAt: metadata.creationTimestamp,
    active,
    latest,
    traffic: { split: traffic?.split ?? {}, aliases: traffic?.aliases ?? {}, ...(traffic?.minScales && { minScales: traffic.minScales }) },
    // No revision number is reused, even if the status was edited.
    nextRevision: Math.max(nextRevision, ...revisions.map(({ id }) => Number(id.slice(1)) + 1)),
    scaling,
    rolloutPolicy,
    rollout,
    history,
    revisions,
  };
}

/** The status of a record. */
export function statusOf({ name: _, createdAt: __, ...status }: FunctionRecord): FunctionStatus {
  return status;
}

/** The spec that declares this record; default values are left out. */
export function resourceSpecOf(record: FunctionRecord): FunctionResourceSpec {
  const revision = record.revisions.find(({ id }) => id === record.latest);
  if (!revision) throw new Error(`function ${record.name} has no revision ${record.latest}`);
  const all = settingsOf(record, revision);
  const set = Object.entries(all).filter(([name, value]) => !isDeepStrictEqual(comparable(name, value), comparable(name, defaultOf(name))));
  // The progress and the end of a rollout are not declared: `latest` is what the spec declares.
  const byRollout = record.rollout !== null && record.rollout.to === record.latest;
  const { split, aliases, minScales } = withoutEnded(byRollout ? { ...record.traffic, split: {} } : record.traffic);
  const active = byRollout || record.active === record.latest ? undefined : record.active;
  const traffic = { ...(active && { active }), ...(hasAny(split) && { split }), ...(hasAny(aliases) && { aliases }), ...(minScales && { minScales }) };
  // The code of an image follows from it.
  const code = revision.settings.image === undefined ? { code: { digest: revision.layer } } : {};
  return { ...Object.fromEntries(set), ...code, ...(hasAny(traffic) && { traffic }) };
}

/**
 * The fields that the API must apply (server-side) so that a resource's spec becomes `wanted`: those that differ, and those
 * that it applied before, because an applied field that is left out returns to the value of other managers. `isCode`: the
 * resource's code is the wanted one.
 */
export function toApply(wanted: FunctionResourceSpec, current: FunctionResourceSpec, owned: ReadonlySet<string>, isCode: boolean): FunctionResourceSpec {
  const fields = new Set([...Object.keys(wanted), ...Object.keys(current)]);
  fields.delete("secretRef");
  const applied: FunctionResourceSpec = {};
  for (const field of fields) {
    if (owned.has(field) ? field in wanted : !says(field, wanted, current, isCode)) applied[field] = wanted[field] ?? backTo(field);
  }
  return applied;
}

/** Whether the current spec already has the wanted value of a field. */
function says(field: string, wanted: FunctionResourceSpec, current: FunctionResourceSpec, isCode: boolean): boolean {
  if (field === "code") return isCode;
  if (field === "traffic") return isDeepStrictEqual(trafficOf(wanted), trafficOf(current));
  return isDeepStrictEqual(comparable(field, wanted[field] ?? defaultOf(field)), comparable(field, current[field] ?? defaultOf(field)));
}

/** The explicit default of a field that another manager has set. */
function backTo(field: string): unknown {
  return field === "traffic" ? {} : defaultOf(field);
}

export function trafficOf({ traffic }: FunctionResourceSpec): { active: string | null; traffic: Traffic } {
  const { active = null, split, aliases, minScales } = traffic ?? {};
  const kept = Object.entries(minScales ?? {}).filter(([, instances]) => instances > 0);
  const declared = { split: { ...(split ?? NO_TRAFFIC.split) }, aliases: { ...(aliases ?? NO_TRAFFIC.aliases) } };
  return { active, traffic: { ...declared, ...(kept.length > 0 && { minScales: Object.fromEntries(kept) }) } };
}

/** The top-level fields of the spec that a field manager has applied. */
export function ownedFields({ metadata }: FunctionResource, manager: string): Set<string> {
  const entry = metadata.managedFields?.find((one) => one.manager === manager && one.operation === "Apply");
  const spec = (entry?.fieldsV1 as { "f:spec"?: Record<string, unknown> } | undefined)?.["f:spec"] ?? {};
  return new Set(Object.keys(spec).map((key) => key.replace(/^f:/, "")));
}

function comparable(field: string, value: unknown): unknown {
  if (field === "rollout" && value) {
    const { interval = ROLLOUT.intervalMs / 1000, ...rest } = value as { interval?: string | number };
    return { ...ROLLOUT, ...rest, intervalMs: parseDuration(interval) };
  }
  if (field === "scaling" && value) return comparableScaling(value);
  if (DURATIONS.has(field) && (typeof value === "string" || typeof value === "number")) return parseDuration(value) ?? value;
  return value ?? null;
}

function comparableScaling(value: unknown): object {
  const { windowMs, scaleDownDelayMs, ...others } = WINDOW_SCALING;
  const { window = windowMs / 1000, scaleDownDelay = scaleDownDelayMs / 1000, ...rest } = value as Record<string, string | number>;
  return { ...others, ...rest, windowMs: parseDuration(window), scaleDownDelayMs: parseDuration(scaleDownDelay) };
}

function defaultOf(field: string): unknown {
  const values: Record<string, unknown> = { ...DEFAULTS, warm: [], scaling: DEFAULTS.windowScaling };
  return DURATIONS.has(field) ? formatDuration(values[`${field}Ms`] as number) : values[field];
}

function hasAny(values: object): boolean {
  return Object.keys(values).length > 0;
}

/** Finalizers that hold a resource whose deletion was asked for; null: nobody has. */
export function holdersOf({ metadata: { deletionTimestamp, finalizers } }: FunctionResource): string[] | null {
  if (deletionTimestamp === undefined) return null;
  return finalizers?.length ? finalizers : ["the API server"];
}
