import { type Static, Type } from "typebox";
import { Compile } from "typebox/compile";
import { ManagerError } from "../errors.ts";
import type { FunctionRecord, Traffic } from "./function.ts";
import { faultOf, PATTERNS } from "./manifest/field-fault.ts";
import { isRolling } from "./rollout.ts";

/** Most instances that are kept of all revisions beside the active one: as many as a function's own `minScale` may be. */
const MOST_KEPT = 1000;

export type TrafficChange = { active?: string | undefined } & Partial<Traffic>;

const Percent = Type.Integer({ minimum: 0, maximum: 100 });

/** Body of `PUT /v1/functions/{name}/traffic`; fields left out are unchanged. */
export const TrafficBody = Type.Partial(
  Type.Object({
    active: Type.String({ description: "Revision that gets the invocations that the split leaves. A change of it ends the split." }),
    split: Type.Record(Type.String({ pattern: PATTERNS.revision }), Percent, {
      description: "Percentage of the invocations by revision; at most 100 in total.",
      maxProperties: 10,
      additionalProperties: false,
    }),
    aliases: Type.Record(Type.String({ pattern: PATTERNS.alias }), Type.String(), {
      description: "Revision by alias; an alias is invoked as NAME@ALIAS.",
      maxProperties: 10,
      additionalProperties: false,
    }),
    minScales: Type.Record(Type.String({ pattern: PATTERNS.revision }), Type.Integer({ minimum: 0, maximum: MOST_KEPT }), {
      description: "Instances that are kept of a revision with a share or an alias, by revision. Those of the active one are minScale.",
      maxProperties: 10,
      additionalProperties: false,
    }),
  }),
  { additionalProperties: false },
);

const schema = Compile(TrafficBody);

/** Throws `TRAFFIC_INVALID` with the field. */
export function parseTraffic(input: unknown): TrafficChange {
  if (!schema.Check(input)) {
    const { field, message } = faultOf(schema.Errors(input), TrafficBody, input);
    throw invalid(field, message);
  }
  const { active, split, aliases, minScales } = input as Static<typeof TrafficBody>;
  const sum = Object.values(split ?? {}).reduce((total, percent) => total + percent, 0);
  if (sum > 100) throw invalid("split", `the shares sum up to ${sum} percent`);
  return { active, ...(split && { split: { ...split } }), ...(aliases && { aliases: { ...aliases } }), ...(minScales && { minScales: { ...minScales } }) };
}

/** Instances that are kept of a revision beside the active one; none of one that a rollout makes active, which has its share of the function's `minScale`. */
export function keptBeside({ active, rollout, traffic }: Pick<FunctionRecord, "active" | "rollout" | "traffic">, revision: string): number {
  if (revision === active || (isRolling(rollout) && rollout.to === revision)) return 0;
  return traffic.minScales?.[revision] ?? 0;
}

/** Instances that are kept of all of a function's revisions beside the active one. */
export function allKeptBeside(record: FunctionRecord): number {
  return Object.keys(record.traffic.minScales ?? {}).reduce((sum, id) => sum + keptBeside(record, id), 0);
}

/** Traffic without entries of `minScales` that ended with their revision's share and alias. An entry of the active revision rests as long as it has an alias. */
export function withoutEnded({ minScales, ...traffic }: Traffic): Traffic {
  const left = Object.entries(minScales ?? {}).filter(([id, instances]) => instances > 0 && isNamed(traffic, id));
  return left.length > 0 ? { ...traffic, minScales: Object.fromEntries(left) } : traffic;
}

/** A declaration without shares: those in force stay, with the instances that are kept of them. */
export function withSharesInForce(declared: Traffic, { split, minScales = {} }: Traffic): Traffic {
  const ofShares = Object.entries(minScales).filter(([id]) => !isNamed(declared, id));
  return { ...declared, split, minScales: { ...Object.fromEntries(ofShares), ...declared.minScales } };
}

/** Throws `TRAFFIC_INVALID` if instances are kept of a revision that has neither a share nor an alias. */
export function checkNamed(traffic: Traffic): void {
  for (const [id, instances] of Object.entries(traffic.minScales ?? {})) {
    if (instances > 0 && !isNamed(traffic, id))
      throw invalid(`minScales.${id}`, `${id} has neither a share nor an alias; of the active revision, minScale is kept`);
  }
}

/** Throws `TRAFFIC_INVALID` if more instances of a revision are kept than it may have, or too many of all. */
export function checkKept({ traffic, scaling }: Pick<FunctionRecord, "traffic" | "scaling">): void {
  const kept = Object.entries(traffic.minScales ?? {});
  for (const [id, instances] of kept) {
    if (instances > scaling.maxScale) throw invalid(`minScales.${id}`, `${instances} is above maxScale ${scaling.maxScale}`);
  }
  const sum = kept.reduce((total, [, instances]) => total + instances, 0);
  if (sum > MOST_KEPT) throw invalid("minScales", `${sum} instances would be kept, more than ${MOST_KEPT}`);
}

function isNamed({ split, aliases }: Traffic, revision: string): boolean {
  return Object.hasOwn(split, revision) || Object.values(aliases).includes(revision);
}

/** Percentage that a deployed revision gets beside the active one; undefined for all. Throws `TRAFFIC_INVALID`. */
export function parseCanary(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 100)
    throw invalid("canary", `must be an integer from 0 to 100, and is ${JSON.stringify(value).slice(0, 80)}`);
  return value as number;
}

function invalid(field: string, message: string): ManagerError {
  return new ManagerError("TRAFFIC_INVALID", `${field || "traffic"}: ${message}`, field || undefined);
}
