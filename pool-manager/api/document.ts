/** Replaced in the document's own copy: requests are checked against the schema as it is. */
type Node = Record<string, unknown>;

/**
 * A schema as the OpenAPI document shows it. Its generator takes objects whose names match a pattern for objects of any
 * names; `propertyNames`, which says the same, it passes on.
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
