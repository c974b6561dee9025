import { ManagerError } from "../errors.ts";
import { type FunctionRecord, MAX_REVISIONS, type Revision, type Secrets, type Traffic } from "./function.ts";
import { rollbackTarget, wentBack } from "./history.ts";
import type { Manifest } from "./manifest/manifest.ts";
import { atOnce, checkRevision, checkServed, type Placed, retained, scalingOf } from "./revisions.ts";
import { end, isRolling } from "./rollout.ts";
import type { StoredFunction } from "./stored-function.ts";
import { checkKept, checkNamed, type TrafficChange, withoutEnded } from "./traffic.ts";

/** Why a rollout that a user has undone stopped. */
const BY_HAND = "undone by hand";

/** A function with this manifest and revision, which it may have had before; `place` says which revision is invoked then. */
export function withRevision(
  stored: StoredFunction,
  manifest: Manifest,
  revision: Revision,
  place: (record: FunctionRecord, revision: string) => Placed,
): { record: FunctionRecord; secrets: Secrets } {
  const changed: FunctionRecord = { ...stored.record, latest: revision.id, scaling: scalingOf(manifest), rolloutPolicy: manifest.rollout };
  const record = { ...changed, ...place(changed, revision.id) };
  if (!stored.record.revisions.includes(revision)) {
    // Some instance may still have the number of a revision of which nothing else is left.
    record.nextRevision = stored.continues === undefined ? record.nextRevision + 1 : stored.continues + 1 + MAX_REVISIONS;
    record.revisions = [...record.revisions, revision];
  }
  const secrets = { ...stored.secrets };
  // An existing revision gets its values too: they may be lost, and these are the same.
  if (revision.secretNames.length > 0) secrets[revision.id] = manifest.secrets;
  checkServed(record);
  record.revisions = retained(record);
  return { record, secrets };
}

/**
 * A function with an older revision active: the named one, or the one that was active before. A rollout in progress is
 * undone instead. Throws `REVISION_NOT_FOUND` or `NO_OLDER_REVISION`.
 */
export function rolledBack(record: FunctionRecord, to?: string): FunctionRecord {
  if (!to && isRolling(record.rollout)) return { ...record, ...end(record, record.rollout, "undone", BY_HAND) };
  const target = to ? record.revisions.find((revision) => revision.id === to) : rollbackTarget(record);
  if (!target && to) throw new ManagerError("REVISION_NOT_FOUND", `${record.name} has no revision ${to}`, "revision");
  if (!target) throw new ManagerError("NO_OLDER_REVISION", `no other revision of ${record.name} was active before ${record.active}`);
  return { ...record, ...atOnce(record, target.id), history: wentBack(record.history, target.id) };
}

/** A function with changed traffic. Fields that are left out stay, except that another active revision ends the split. Throws `ROLLOUT_RUNNING`. */
export function withTraffic(record: FunctionRecord, { active, split, aliases, minScales }: TrafficChange): FunctionRecord {
  if (isRolling(record.rollout) && (active !== undefined || split || isKeptAnew(record.traffic, minScales, record.rollout.to))) {
    throw new ManagerError("ROLLOUT_RUNNING", `${record.rollout.to} is taking over from ${record.rollout.from}, and its share with it`);
  }
  const changed: FunctionRecord = active === undefined || active === record.active ? { ...record } : { ...record, ...atOnce(record, active) };
  const before = changed.traffic;
  changed.traffic = { ...before, split: { ...(split ?? before.split) }, aliases: aliases ?? before.aliases, ...(minScales && { minScales }) };
  checkServed(changed);
  delete changed.traffic.split[changed.active];
  for (const id of Object.keys(minScales ?? {})) checkRevision(changed, id);
  if (minScales) checkNamed(changed.traffic);
  return changed;
}

/** A record without instances kept of revisions that are not served any more. Throws `TRAFFIC_INVALID` if more are kept of one than it may have. */
export function settled(record: FunctionRecord): FunctionRecord {
  if (!record.traffic.minScales) return record;
  const left = { ...record, traffic: withoutEnded(record.traffic) };
  checkKept(left);
  return left;
}

/** Whether a change of `minScales` changes the number of a revision. */
function isKeptAnew({ minScales: before = {} }: Traffic, changed: Traffic["minScales"], revision: string): boolean {
  return changed !== undefined && (changed[revision] ?? 0) !== (before[revision] ?? 0);
}

/** A function whose rollout is paused, resumed or undone. Throws `ROLLOUT_OVER`. */
export function steered(record: FunctionRecord, verb: "pause" | "resume" | "undo"): FunctionRecord {
  const { name, rollout } = record;
  if (!isRolling(rollout)) {
    throw new ManagerError("ROLLOUT_OVER", rollout ? `the rollout of ${rollout.to} is ${rollout.state}` : `${name} has had no rollout`);
  }
  if (verb === "undo") return { ...record, ...end(record, rollout, "undone", BY_HAND) };
  return { ...record, rollout: { ...rollout, state: verb === "pause" ? "paused" : "rolling" } };
}
