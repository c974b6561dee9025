import { ManagerError } from "../../errors.ts";
import { activeRevision, type FunctionRecord } from "../../functions/function.ts";
import { formatDuration } from "../../functions/manifest/duration.ts";
import { settingsOf } from "../../functions/revisions.ts";
import { percentOf } from "../../functions/rollout.ts";
import type { WindowScale } from "../../pool/decide/world.ts";
import type { ActiveSchedule } from "../../schedules/active.ts";
import type { ApiContext } from "../context.ts";
import type { FunctionAnswer, RevisionAnswer, RolloutAnswer } from "../schemas/answers.ts";

/** A function as the API shows it. */
export function viewFunction(record: FunctionRecord, context: ApiContext): FunctionAnswer {
  const { functions, routerUrl, countInstances, windowScaleOf, problemsOfFunction, sizing } = context;
  const active = activeRevision(record);
  const pool = functions.poolOf(record);
  const url = routerUrl();
  const ending = functions.endingOf(record.name);
  return {
    name: record.name,
    uid: record.uid,
    revision: record.active,
    latest: record.latest,
    pool,
    createdAt: record.createdAt,
    url: url ? `${url}/function/${record.name}` : null,
    ...settingsOf(record, active),
    secrets: active.secretNames,
    split: record.traffic.split,
    aliases: record.traffic.aliases,
    minScales: record.traffic.minScales ?? {},
    rolling: viewRollout(record),
    instances: countInstances(record.uid),
    scheduled: viewScheduled(sizing.schedules.activeOf(record.uid, pool, record.scaling.warm)),
    idling: sizing.planner.lastOf(record.uid)?.decision ?? null,
    windows: viewWindows(windowScaleOf(record.uid)),
    ending,
    problems: [...endingInWords(ending), ...problemsOfFunction(record)],
    revisions: record.revisions.map((revision) => revision.id),
  };
}

/** The schedule in force, with times as people read them; null: none is. */
export function viewScheduled(active: ActiveSchedule | null | undefined) {
  if (!active) return null;
  const { from, until } = active;
  return { ...active, from: new Date(from).toISOString(), until: until === null ? null : new Date(until).toISOString() };
}

function viewWindows(scale: WindowScale | undefined) {
  if (!scale) return null;
  const { stable, panic, panicking, wanted } = scale;
  return { stable: Number(stable.toFixed(2)), panic: Number(panic.toFixed(2)), panicking, wanted };
}

function endingInWords(ending: readonly string[] | null): string[] {
  return ending ? [`is ending: its resource was deleted, and is held by ${ending.join(", ")}; until it is gone the function is served`] : [];
}

/** Throws `ROLLOUT_OVER` where there was none. */
export function lastRollout(record: FunctionRecord) {
  const view = viewRollout(record);
  if (!view) throw new ManagerError("ROLLOUT_OVER", `${record.name} has had no rollout`);
  return view;
}

function viewRollout(record: FunctionRecord): RolloutAnswer | null {
  const { rollout } = record;
  if (!rollout) return null;
  const { from, to, state, watching, reason, startedAt } = rollout;
  const percent = state === "complete" ? 100 : percentOf(record, rollout);
  const steps = [...(rollout.onceLoaded ? [] : (record.rolloutPolicy?.steps ?? [])).map(String), "100%"];
  return { from, to, state, step: steps[Math.min(rollout.step, steps.length - 1)] ?? "100%", steps, watching, percent, reason, startedAt };
}

export function viewRevisions(record: FunctionRecord): RevisionAnswer[] {
  return record.revisions.map((revision) => ({
    id: revision.id,
    active: revision.id === record.active,
    createdAt: revision.createdAt,
    activatedAt: revision.activatedAt ?? null,
    code: revision.layer,
    image: revision.image,
    entry: revision.settings.entry,
    concurrency: revision.settings.concurrency,
    timeout: formatDuration(revision.settings.timeoutMs),
    env: revision.env,
    secrets: revision.secretNames,
  }));
}
