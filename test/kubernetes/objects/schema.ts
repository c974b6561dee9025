import { invalid, type Subject } from "../api/api-error.ts";
import { type Fields, isFields } from "./object.ts";
import { brokenRules } from "./rules.ts";

/** A structural schema, as far as Berth's definitions go. */
export interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema;
  items?: Schema;
  required?: string[];
  enum?: unknown[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxProperties?: number;
  maxItems?: number;
  nullable?: boolean;
  anyOf?: Schema[];
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-validations"?: { rule: string; message?: string }[];
}

/** Without the fields that the schema does not know, as the server stores an object. */
export function prune(value: unknown, schema: Schema | undefined): unknown {
  if (!schema || schema["x-kubernetes-preserve-unknown-fields"] || value === null) return value;
  if (Array.isArray(value)) return schema.items ? value.map((item) => prune(item, schema.items)) : value;
  if (!isFields(value)) return value;
  const known = Object.entries(value).flatMap(([name, inner]) => {
    const next = schema.properties?.[name] ?? schema.additionalProperties;
    // A null that may not be stored is dropped, as if it had not been said.
    if (!next || (inner === null && !next.nullable)) return [];
    return [[name, prune(inner, next)] as const];
  });
  return Object.fromEntries(known);
}

/** Throws 422 with the first thing that the schema refuses. `before`: as it was, for rules of transition. */
export function validate(of: Subject, value: Fields, schema: Schema, before: Fields | null): void {
  const found = problem(value, schema, "", before);
  if (found) throw invalid(of, found.field.replace(/^\./, ""), found.why);
}

interface Problem {
  field: string;
  why: string;
}

function problem(value: unknown, schema: Schema, field: string, before: unknown): Problem | null {
  if (value === null && schema.nullable) return null;
  const why = wrongType(value, schema) ?? outOfBounds(value, schema);
  if (why) return { field, why: `Invalid value: ${JSON.stringify(value)}: ${why}` };
  const inner = Array.isArray(value) ? inList(value, schema, field) : isFields(value) ? inObject(value, schema, field, before) : null;
  if (inner) return inner;
  const [broken] = brokenRules(schema["x-kubernetes-validations"] ?? [], value, before);
  return broken ? { field, why: `Invalid value: ${JSON.stringify(value)}: ${broken}` } : null;
}

function inList(value: readonly unknown[], { items }: Schema, field: string): Problem | null {
  if (!items) return null;
  for (const [i, item] of value.entries()) {
    const found = problem(item, items, `${field}[${i}]`, null);
    if (found) return found;
  }
  return null;
}

function inObject(value: Fields, schema: Schema, field: string, before: unknown): Problem | null {
  for (const name of schema.required ?? []) if (!(name in value)) return { field: `${field}.${name}`, why: "Required value" };
  for (const [name, inner] of Object.entries(value)) {
    const next = schema.properties?.[name] ?? schema.additionalProperties;
    const found = next && problem(inner, next, `${field}.${name}`, isFields(before) ? before[name] : null);
    if (found) return found;
  }
  return null;
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: isFields,
  array: Array.isArray,
  string: (value) => typeof value === "string",
  integer: Number.isInteger,
  number: (value) => typeof value === "number",
  boolean: (value) => typeof value === "boolean",
};

function wrongType(value: unknown, schema: Schema): string | null {
  if (schema["x-kubernetes-int-or-string"]) return typeof value === "string" || Number.isInteger(value) ? null : "must be an integer or a string";
  if (!schema.type || TYPES[schema.type]?.(value)) return null;
  return `must be of type ${schema.type}`;
}

function outOfBounds(value: unknown, schema: Schema): string | null {
  if (schema.enum && !schema.enum.includes(value)) return `supported values: ${schema.enum.map((one) => JSON.stringify(one)).join(", ")}`;
  if (typeof value === "number") return between(value, schema.minimum, schema.maximum, "");
  if (typeof value === "string") {
    if (schema.pattern && !new RegExp(schema.pattern).test(value)) return `should match '${schema.pattern}'`;
    return between(value.length, schema.minLength, schema.maxLength, "the length ");
  }
  if (Array.isArray(value)) return between(value.length, undefined, schema.maxItems, "the number of items ");
  return isFields(value) ? between(Object.keys(value).length, undefined, schema.maxProperties, "the number of properties ") : null;
}

function between(value: number, least: number | undefined, most: number | undefined, what: string): string | null {
  if (least !== undefined && value < least) return `${what}should be greater than or equal to ${least}`;
  return most !== undefined && value > most ? `${what}should be less than or equal to ${most}` : null;
}
