type Node = Record<string, unknown>;

/** Marks the schema of an optional body. */
export const OPTIONAL = "x-optional";

/**
 * A schema for the OpenAPI document only; requests are validated against the original. The document's generator drops
 * the pattern of `patternProperties`, but keeps the equivalent `propertyNames`.
 */
export function documented<T>(schema: T): T {
  if (Array.isArray(schema)) return schema.map(documented) as T;
  if (typeof schema !== "object" || schema === null) return schema;
  const node: Node = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, documented(value)]));
  const [named, ...further] = Object.entries((node.patternProperties ?? {}) as Node);
  if (!named || further.length > 0 || node.additionalProperties !== false) return node as T;
  const { patternProperties, ...rest } = node;
  return { ...rest, propertyNames: { pattern: named[0] }, additionalProperties: named[1] } as T;
}

interface Body {
  required?: boolean;
  content?: Record<string, { schema?: Node }>;
}

/** Makes marked bodies optional: the generator declares every body required. */
export function withOptionalBodies<T extends { paths?: object }>(document: T): T {
  const operations = Object.values(document.paths ?? {}).flatMap((path: object) => Object.values(path) as { requestBody?: Body }[]);
  for (const { requestBody } of operations) {
    for (const { schema } of Object.values(requestBody?.content ?? {})) {
      if (!requestBody || !schema?.[OPTIONAL]) continue;
      requestBody.required = false;
      delete schema[OPTIONAL];
    }
  }
  return document;
}
