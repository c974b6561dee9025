/** A part of an OpenAPI schema, as definitions have it. */
export type Schema = Record<string, unknown>;

export const percent = { type: "integer", minimum: 0, maximum: 100 };
export const object = (properties: Record<string, Schema>, more: Schema = {}): Schema => ({ type: "object", properties, ...more });
export const text = (description: string, more: Schema = {}): Schema => ({ type: "string", description, ...more });

/** A part whose fields the definition does not name. */
export const open: Schema = { "x-kubernetes-preserve-unknown-fields": true };

/** The field `code` of a Function. */
export const CODE = object(
  {
    digest: text("Code that was uploaded with POST /v1/code, or that another revision has.", { pattern: "^sha256:[0-9a-f]{64}$" }),
    files: {
      type: "object",
      description: "The code itself, for small functions: text by file name. One of index.mjs, index.cjs, index.js is loaded; dependencies must be bundled.",
      additionalProperties: { type: "string", maxLength: 262_144 },
      maxProperties: 32,
    },
  },
  { "x-kubernetes-validations": [{ rule: "has(self.digest) != has(self.files)", message: "give digest or files, and not both" }] },
);

/**
 * Converts a JSON Schema to the form that CustomResourceDefinitions allow. Defaults are not stored, since Berth would
 * then own the fields: they only appear in descriptions.
 */
export function structural({ default: fallback, ...schema }: Schema): Schema {
  const description = [schema.description, fallback === undefined || typeof fallback === "object" ? "" : `Default: ${fallback}.`].filter(Boolean).join(" ");
  const { anyOf, patternProperties, properties } = schema as {
    anyOf?: Schema[];
    patternProperties?: Record<string, Schema>;
    properties?: Record<string, Schema>;
  };
  if (anyOf?.some(({ type }) => type === "null")) return { ...structural({ ...anyOf[0], description }), nullable: true };
  if (anyOf?.every((one) => "const" in one)) return { type: "string", description, enum: anyOf.map((one) => one.const) };
  // Kubernetes has no type for a text or a list.
  if (anyOf?.some(({ type }) => type === "array")) return { description, ...open };
  if (anyOf) {
    const words = anyOf.flatMap((one) => ("const" in one ? [`^${one.const}$`] : []));
    const pattern = [anyOf.find((one) => one.pattern)?.pattern, ...words].join("|");
    return { description, "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }], pattern };
  }
  if (schema.items) return { ...schema, description, items: structural(schema.items as Schema) };
  if (patternProperties) {
    const [[, value] = ["", {}]] = Object.entries(patternProperties);
    return { type: "object", description, additionalProperties: structural(value), maxProperties: schema.maxProperties };
  }
  if (properties) {
    const inner = Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, structural(one)]));
    return { type: "object", description, properties: inner, ...(schema.required ? { required: schema.required } : {}) };
  }
  return { ...schema, description };
}
