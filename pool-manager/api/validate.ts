import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { Value } from "typebox/value";
import { ManagerError } from "../errors.ts";
import { faultOf } from "../functions/field-fault.ts";

/** Checks requests against their schemas. Bodies are taken as they are; numbers and booleans of a query or path arrive as text. Errors are `BODY_INVALID` with the field. */
export const validatorOf: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const check = Compile(schema);
  return (value: unknown) => {
    const read = httpPart === "body" ? value : Value.Convert(schema, value);
    if (check.Check(read)) return { value: read };
    const { field, message } = faultOf(check.Errors(read), schema, read);
    return { error: new ManagerError("BODY_INVALID", `${field || httpPart || "request"}: ${message}`, field || undefined) };
  };
};
