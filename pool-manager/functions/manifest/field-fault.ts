import { nearest } from "./nearest.ts";

/** The keywords of JSON Schema that are read here. */
interface Schema {
  type?: string;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  patternProperties?: Record<string, Schema>;
  items?: Schema;
  pattern?: string;
  minimum?: number;
  maximum?: number;
}

/** One error as a validator reports it. */
export interface SchemaError {
  keyword: string;
  /** JSON pointer to the value. */
  instancePath: string;
  params: object;
  message?: string;
}

/** The invalid field as a dotted path (empty for the whole input), and what is wrong with it in words. */
export interface FieldFault {
  field: string;
  message: string;
}

/** The longest part of an unknown name that is repeated, in characters. */
const MAX_NAME = 80;

const DURATION = "\\d+(\\.\\d+)?(ms|s|m|h)?";

/** Patterns of the schemas. */
export const PATTERNS = {
  // A DNS label (RFC 1123).
  name: "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
  variable: "^[A-Za-z_][A-Za-z0-9_]{0,255}$",
  duration: `^${DURATION}$`,
  // A duration, or a date (and time) of ISO 8601.
  since: `^(${DURATION}|\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])([T ]([01]\\d|2[0-3]):[0-5]\\d(:[0-5]\\d(\\.\\d+)?)?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)?)?)$`,
  handler: "^[A-Za-z_$][A-Za-z0-9_$]*$",
  path: "^/[\\x21-\\x7e]*$",
  // A reference of an image: [registry/]name[:tag][@digest].
  image: "^[a-zA-Z0-9][a-zA-Z0-9._:/-]*(@sha256:[0-9a-f]{64})?$",
  share: "^[1-9][0-9]?%$",
  // As in Kubernetes, without its thousandths of a byte.
  bytes: "^\\d+(\\.\\d+)?(k|M|G|T|Ki|Mi|Gi|Ti)?$",
  cpu: "^\\d+(\\.\\d+)?m?$",
  revision: "^r\\d+$",
  alias: "^(?!r\\d+$)[a-z]([-a-z0-9]{0,30}[a-z0-9])?$",
} as const;

const NAMES: Record<string, string> = {
  [PATTERNS.variable]: "is not a valid variable name: use up to 256 letters, digits and _, and do not begin with a digit",
  [PATTERNS.revision]: "is not a revision such as r3",
  [PATTERNS.alias]: "is not a valid alias: use up to 32 lower-case letters, digits and hyphens, begin with a letter, and avoid names like r3",
};

const TEXTS: Record<string, string> = {
  [PATTERNS.duration]: 'a duration such as "500ms", "30s", "5m" or "1h" (use ms, s, m or h)',
  [PATTERNS.since]: 'a duration such as "10m" (ms, s, m or h), or a time such as "2026-01-31T12:00:00Z"',
  [PATTERNS.handler]: "the name of an export: letters, digits, _ and $",
  [PATTERNS.path]: 'a path such as "/healthz"',
  [PATTERNS.image]: 'a reference of an image, such as "registry.example.org/team/api:1.2" or "…/api@sha256:…"',
  [PATTERNS.share]: 'a share such as "25%"',
  [PATTERNS.bytes]: 'an amount such as "256Mi", "1.5Gi" or "500M" (use k, M, G, T, Ki, Mi, Gi or Ti)',
  [PATTERNS.cpu]: 'a number of processors such as "500m", "0.5" or "2"',
};

/**
 * Describes the first invalid field of `input`. `errors`: the validator's errors, not empty.
 * Values under `secrets` are not repeated.
 */
export function faultOf(errors: readonly SchemaError[], schema: object, input: unknown, noun = "field"): FieldFault {
  const [first] = errors;
  if (!first) return { field: "", message: "is not valid" };
  const path = segments(first.instancePath);
  const [named] = (first.params as { additionalProperties?: string[] }).additionalProperties ?? [];
  if (named !== undefined) return unknownName(path, named, schema, noun);
  // The validator reports an unknown name as a value whose schema is `false`.
  if (first.keyword === "boolean") return unknownName(path.slice(0, -1), path.at(-1) ?? "", schema, noun);
  const value = path.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], input);
  const place = path.reduce<Schema | undefined>(inside, schema);
  return { field: path.join("."), message: messageOf(first, place, value, path[0] === "secrets") };
}

function messageOf({ keyword, params, message = "is not valid" }: SchemaError, place: Schema | undefined, value: unknown, secret: boolean): string {
  const { limit, requiredProperties } = params as { limit?: number; requiredProperties?: string[] };
  if (keyword === "maxLength") return `must have at most ${limit} characters, and has ${String(value).length}`;
  if (keyword === "maxProperties" || keyword === "maxItems") return `must have at most ${limit} entries`;
  if (keyword === "required") return `${requiredProperties?.[0] ?? "a field"} is missing`;
  const wanted = place && expected(place);
  return wanted ? `must be ${wanted}, and is ${shown(value, secret)}` : message;
}

/** Describes a name that the schema does not know. */
function unknownName(path: readonly string[], given: string, schema: object, noun: string): FieldFault {
  const name = given.slice(0, MAX_NAME);
  const place = path.reduce<Schema | undefined>(inside, schema);
  const object = place && alternatives(place).find(({ properties, patternProperties }) => properties ?? patternProperties);
  const field = [...path, name].join(".");
  const [pattern] = Object.keys(object?.patternProperties ?? {});
  if (pattern) return { field, message: `${JSON.stringify(name)} ${NAMES[pattern] ?? `does not match ${pattern}`}` };
  const known = Object.keys(object?.properties ?? {});
  const meant = nearest(given, known);
  const hint = meant ? `did you mean ${meant}?` : `there is ${known.join(", ")}`;
  return { field, message: `unknown ${noun} ${name}; ${hint}` };
}

/** Describes the values that a schema accepts. */
function expected(schema: Schema): string {
  const options = alternatives(schema);
  const values = options.flatMap((option) => option.enum ?? (option.const === undefined ? [] : [option.const])).map(String);
  const others = options.filter((option) => option.enum === undefined && option.const === undefined);
  if (others.some(({ pattern }) => pattern === PATTERNS.duration)) return oneOf([`${TEXTS[PATTERNS.duration]}, or a number of seconds`, ...values]);
  return oneOf([...others.map(single), ...values]);
}

function single({ type, pattern, minimum, maximum }: Schema): string {
  if (type === "integer" || type === "number") return `${type === "integer" ? "an integer" : "a number"}${range(minimum, maximum)}`;
  if (type === "boolean") return "true or false (a boolean)";
  if (type === "array") return "an array";
  if (type === "object") return "an object";
  if (type === "null") return "null";
  return (pattern && (TEXTS[pattern] ?? `a string that matches ${pattern}`)) || "a string";
}

function range(minimum?: number, maximum?: number): string {
  if (minimum === undefined) return maximum === undefined ? "" : ` of at most ${maximum}`;
  return maximum === undefined ? ` of at least ${minimum}` : ` from ${minimum} to ${maximum}`;
}

function shown(value: unknown, secret: boolean): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  if (secret) return `a ${typeof value}`;
  return `the ${typeof value} ${JSON.stringify(value)?.slice(0, 80)}`;
}

function oneOf(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** The schemas of which a value must match one. The type null is left out if another type is possible. */
function alternatives(schema: Schema): Schema[] {
  const all = schema.anyOf?.flatMap(alternatives) ?? [schema];
  const some = all.filter(({ type }) => type !== "null");
  return some.length > 0 ? some : all;
}

/** The schema of the value at a key. */
function inside(schema: Schema | undefined, key: string): Schema | undefined {
  for (const { properties = {}, patternProperties = {}, items } of schema ? alternatives(schema) : []) {
    if (Object.hasOwn(properties, key)) return properties[key];
    const [pattern] = Object.keys(patternProperties).filter((one) => new RegExp(one).test(key));
    if (pattern) return patternProperties[pattern];
    if (items && /^\d+$/.test(key)) return items;
  }
  return undefined;
}

function segments(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}
