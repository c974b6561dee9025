import { isDeepStrictEqual } from "node:util";
import type { FunctionRecord } from "../../../functions/function.ts";
import { isRolling, percentOf } from "../../../functions/rollout.ts";
import { type FunctionResource, type FunctionStatus, resourceRecordOf, statusOf } from "../function-resource.ts";
import { dropped } from "../notices.ts";
import { type Condition, withCondition } from "./conditions.ts";

type Verdict = Omit<Condition, "lastTransitionTime">;
export type Readiness = Omit<Verdict, "type">;

/** The status with all fields of the record; `secret`: the ingested version of its Secret. */
export function withRecord(status: FunctionStatus | undefined, record: FunctionRecord, secret = status?.secret): FunctionStatus {
  return { ...statusOf(record), ...(secret && { secret }), conditions: withCondition(status?.conditions, rolledOut(record)) };
}

/** The fields in which a resource's status differs from the record. */
export function differences(record: FunctionRecord, resource: FunctionResource): string[] {
  const seen = resourceRecordOf(resource);
  const said: FunctionStatus = seen ? statusOf(seen) : (resource.status ?? {});
  const fields = Object.entries(statusOf(record)) as [keyof FunctionStatus, unknown][];
  return fields.filter(([field, value]) => !isDeepStrictEqual(bare(value), bare(said[field]))).map(([field]) => field);
}

/** A value without null and undefined fields, which an API server may leave out. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== "object" || value === null) return value ?? undefined;
  return Object.fromEntries(Object.entries(value).flatMap(([key, one]) => (one === null || one === undefined ? [] : [[key, bare(one)]])));
}

/** The conditions Ready and Stored to write; null: they are up to date. Code that has loaded once stays ready without an instance. */
export function reported(conditions: readonly Condition[] = [], active: string, now: Readiness, lost: readonly string[]): Verdict[] | null {
  const known = conditions.find(({ type }) => type === "Ready");
  const hasLoaded = now.status === "Unknown" && known?.status === "True" && known.message.startsWith(`${active} `);
  const ready = { ...(hasLoaded ? known : now), type: "Ready" };
  const stored = storedAs(lost);
  const before = conditions.find(({ type }) => type === "Stored");
  const next = [ready, ...(before || lost.length > 0 ? [stored] : [])];
  return next.every((verdict) =>
    isSame(
      conditions.find(({ type }) => type === verdict.type),
      verdict,
    ),
  )
    ? null
    : next;
}

/** The condition Stored: whether the definition keeps every field. */
function storedAs(lost: readonly string[]): Verdict {
  const is = lost.length === 0 ? ({ status: "True", reason: "Whole" } as const) : ({ status: "False", reason: "OldDefinition" } as const);
  return { type: "Stored", ...is, message: dropped("Function", lost) };
}

function isSame(known: Condition | undefined, next: Verdict): boolean {
  return known?.status === next.status && known.reason === next.reason && known.message === next.message;
}

/** The condition RolledOut: whether the latest revision has all invocations. */
function rolledOut({ active, rollout, traffic }: FunctionRecord): Verdict {
  const condition = { type: "RolledOut", status: "False" } as const;
  if (!rollout) return { ...condition, status: "True", reason: "AtOnce", message: `${active} is active` };
  if (rollout.state === "complete") return { ...condition, status: "True", reason: "Complete", message: `${rollout.to} is active` };
  if (!isRolling(rollout)) return { ...condition, reason: rollout.state === "undone" ? "Undone" : "Stopped", message: rollout.reason ?? "" };
  const reason = rollout.state === "paused" ? "Paused" : "Rolling";
  return { ...condition, reason, message: `${rollout.to} has ${percentOf({ traffic }, rollout)} percent of the invocations` };
}

/** The revision in force, as the message of the condition Accepted. */
export function inForce({ active, latest, rollout }: FunctionRecord): string {
  if (active === latest) return `${active} is active`;
  if (rollout?.to === latest) return `${active} is active; status.rollout shows how ${latest} takes over`;
  return `${active} is active (spec.traffic.active); ${latest} gets its share of spec.traffic.split`;
}
