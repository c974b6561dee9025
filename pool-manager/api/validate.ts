import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { ManagerError } from "../errors.ts";
import { faultOf } from "../functions/manifest/field-fault.ts";

/** Validates requests against their schemas. Bodies are not coerced; numbers and booleans of a query or path are parsed from text. Errors are `BODY_INVALID` or `PARAMETER_INVALID` with the field. */
export const validatorOf: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const check = Compile(schema);
  return (value: unknown) => {
    const read = httpPart === "body" ? value : valuesOf(schema, value);
    if (check.Check(read)) return { value: read };
    const isBody = httpPart === "body";
    const { field, message } = faultOf(check.Errors(read), schema, read, isBody ? "field" : "parameter");
    return { error: new ManagerError(isBody ? "BODY_INVALID" : "PARAMETER_INVALID", `${field || httpPart || "request"}: ${message}`, field || undefined) };
  };
};

/** Parses texts as numbers or booleans if the schema requires these; any other value is unchanged, for the check to refuse. */
function valuesOf(schema: TSchema, input: unknown): unknown {
  const { properties } = schema as { properties?: Record<string, { type?: string }> };
  if (!properties || typeof input !== "object" || input === null) return input;
  return Object.fromEntries(Object.entries(input).map(([name, value]) => [name, converted(properties[name]?.type, value)]));
}

function converted(type: string | undefined, text: unknown): unknown {
  if (typeof text !== "string") return text;
  if (type === "integer" && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (type === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}
