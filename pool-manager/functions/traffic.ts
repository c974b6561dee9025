import { type Static, Type } from "typebox";
import { Compile } from "typebox/compile";
import { ManagerError } from "../errors.ts";
import type { TrafficChange } from "./changes.ts";
import { faultOf, PATTERNS } from "./manifest/field-fault.ts";

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
  const { active, split, aliases } = input as Static<typeof TrafficBody>;
  const sum = Object.values(split ?? {}).reduce((total, percent) => total + percent, 0);
  if (sum > 100) throw invalid("split", `the shares sum up to ${sum} percent`);
  return { active, ...(split && { split: { ...split } }), ...(aliases && { aliases: { ...aliases } }) };
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
