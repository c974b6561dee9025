import type { Dice } from "../dice.ts";

/** The parts of JSON Schema that the API's own description uses. */
export interface Schema {
  type?: string;
  anyOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  patternProperties?: Record<string, Schema>;
  additionalProperties?: unknown;
  minimum?: number;
  maximum?: number;
}

/** An operation of an OpenAPI document, as far as requests are made of it. */
export interface Operation {
  method: string;
  path: string;
  parameters: { name: string; in: string; schema: Schema }[];
  body: Schema | null;
}

/** A request as bytes on the wire are made of it. */
export interface HostileRequest {
  method: string;
  /** Path and query, as they are sent. */
  target: string;
  headers: Record<string, string>;
  body: string | Buffer | null;
}

const NAMES = ["fuzzed", "other", "nobody", "node", "r1", "r2", "r99", "pause", "undo"];
const ODD_STRINGS = [
  "",
  "\u0000",
  "\ud800",
  "toString",
  "__proto__",
  "constructor",
  "../../etc/passwd",
  "a".repeat(300),
  "💥",
  "1e999",
  "-1",
  "r1",
  "sha256:",
  " ",
];
const ODD_VALUES = [null, true, 0, -1, 1.5, 1e308, 2 ** 53, [], {}, [[]], { length: -1 }, "x"];
const ODD_PARTS = ["%00", "%", "%zz", "%ff", "%2e%2e", "..", "//", "%2F", "a".repeat(500), "__proto__", "toString", "'", "é", "?", "#", "\\", ";", "*"];
const ODD_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "LINK", "PURGE"];
const ODD_BODIES = [
  "",
  "{",
  "null",
  "[]",
  '"',
  "0",
  '{"a":1',
  '{"__proto__":{"a":1}}',
  '{"constructor":{"prototype":{}}}',
  "\u0000",
  "\ufeff{}",
  "NaN",
  "{}{}",
];
const TYPES = [
  "application/json",
  "text/plain",
  "application/x-tar",
  "application/octet-stream",
  "application/x-www-form-urlencoded",
  "multipart/form-data",
  "x",
  "application/json; charset=utf-16",
  "",
];

/** The operations of an OpenAPI document. */
export function operationsOf(paths: Record<string, Record<string, unknown>>): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => {
      const { parameters = [], requestBody } = described as {
        parameters?: Operation["parameters"];
        requestBody?: { content: Record<string, { schema?: Schema }> };
      };
      return { method: method.toUpperCase(), path, parameters, body: requestBody?.content["application/json"]?.schema ?? null };
    }),
  );
}

/** One request for an operation: valid, nearly valid, or broken in one way or another. */
export function hostileRequest(operation: Operation, dice: Dice): HostileRequest {
  const request = plainRequest(operation, dice);
  switch (dice.below(7)) {
    case 0:
      return { ...request, method: dice.pick(ODD_METHODS) };
    case 1:
      return { ...request, target: oddTarget(request.target, dice) };
    case 2:
      return { ...request, body: dice.pick(ODD_BODIES), headers: { "content-type": "application/json" } };
    case 3:
      return { ...request, headers: { "content-type": dice.pick(TYPES), ...oddHeader(dice) } };
    case 4:
      return { ...request, body: hugeBody(dice), headers: { "content-type": dice.pick(TYPES.slice(0, 3)) } };
    default:
      return request;
  }
}

function plainRequest({ method, path, parameters, body }: Operation, dice: Dice): HostileRequest {
  const filled = path.replaceAll(/\{(\w+)\}/g, () => (dice.chance(0.9) ? dice.pick(NAMES) : encoded(odd(dice))));
  const query = parameters.filter((parameter) => parameter.in === "query" && dice.chance(0.7));
  const pairs = query.map(({ name, schema }) => `${name}=${encoded(String(sample(schema, dice, 0)))}`);
  const target = filled + (pairs.length > 0 ? `?${pairs.join("&")}` : "");
  const headers = Object.fromEntries(parameters.flatMap(({ name, in: where, schema }) => (where === "header" ? [[name, String(schema.enum?.[0])]] : [])));
  if (!body) return { method, target, headers, body: null };
  return { method, target, headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(sample(body, dice, 0)) };
}

/** A value of a schema; now and then one that is not. */
export function sample(schema: Schema, dice: Dice, depth: number): unknown {
  if (dice.chance(0.12)) return dice.pick<unknown>([...ODD_VALUES, ...ODD_STRINGS]);
  if (schema.anyOf) return sample(dice.pick(schema.anyOf), dice, depth);
  if (schema.enum) return dice.pick(schema.enum);
  if (schema.const !== undefined) return schema.const;
  switch (schema.type) {
    case "object":
      return objectOf(schema, dice, depth);
    case "array":
      return Array.from({ length: dice.below(4) }, () => sample(schema.items ?? {}, dice, depth + 1));
    case "integer":
    case "number":
      return numberOf(schema, dice);
    case "boolean":
      return dice.chance(0.5);
    case "string":
      return dice.chance(0.5) ? dice.pick(NAMES) : odd(dice);
    default:
      return dice.pick<unknown>(ODD_VALUES);
  }
}

function objectOf({ properties = {}, required = [], patternProperties }: Schema, dice: Dice, depth: number): object {
  const fields = Object.entries(properties).filter(([name]) => (required.includes(name) ? dice.chance(0.95) : dice.chance(0.4)));
  const made = fields.map(([name, schema]) => [name, sample(schema, dice, depth + 1)] as const);
  for (const schema of Object.values(patternProperties ?? {})) if (dice.chance(0.7)) made.push([odd(dice), sample(schema, dice, depth + 1)]);
  if (dice.chance(0.1)) made.push([odd(dice), dice.pick<unknown>(ODD_VALUES)]);
  return Object.fromEntries(made);
}

function numberOf({ minimum = 0, maximum = 100 }: Schema, dice: Dice): number {
  return dice.pick([minimum, minimum - 1, minimum + 0.5, minimum + 1, minimum + dice.below(10), maximum + 1, -maximum, 2 ** 60]);
}

function oddTarget(target: string, dice: Dice): string {
  const at = dice.below(target.length + 1);
  const part = dice.pick(ODD_PARTS);
  const made = dice.chance(0.8)
    ? target.slice(0, at) + part + target.slice(at)
    : dice.pick(["*", "//", "/%", `http://[::/${part}`, `${part}/`, "/v1/functions?%", "/docs/%ff"]);
  return made.replaceAll(" ", "%20");
}

function oddHeader(dice: Dice): Record<string, string> {
  return dice.pick<Record<string, string>>([
    { origin: "http://evil.example" },
    { "sec-fetch-site": "cross-site" },
    { authorization: "Bearer x" },
    { "accept-encoding": "\u00ff" },
    { expect: "200-maybe" },
    { "content-encoding": "gzip" },
    { "x-odd": "y".repeat(9000) },
    { upgrade: "h2c", connection: "upgrade" },
    {},
  ]);
}

function hugeBody(dice: Dice): string | Buffer {
  const bytes = Buffer.alloc(3000, dice.below(256));
  return dice.pick<string | Buffer>([
    "[".repeat(200_000),
    `{"a":`.repeat(50_000),
    `{"env":{${Array.from({ length: 300 }, (_, i) => `"V${i}":"x"`).join(",")}}}`,
    `{"handler":"${"h".repeat(500_000)}"}`,
    " ".repeat(1_100_000),
    bytes,
    `{"size":1${"0".repeat(400)}}`,
  ]);
}

function odd(dice: Dice): string {
  return dice.pick(ODD_STRINGS);
}

/** Half a surrogate pair has no encoding. */
function encoded(text: string): string {
  return encodeURIComponent(text.replaceAll(/[\ud800-\udfff]/gu, "%"));
}
