type Node = Record<string, unknown>;

/** Marks the schema of a body that may be left out. */
export const OPTIONAL = "x-optional";

/**
 * A schema as the OpenAPI document shows it; requests are checked against the schema itself. The document's generator
 * takes objects whose names match a pattern for objects of any names; `propertyNames`, which says the same, it passes on.
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

/** The generator calls every body required: those that are marked are not. */
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
