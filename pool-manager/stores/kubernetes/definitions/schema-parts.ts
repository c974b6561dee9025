/** A part of an OpenAPI schema, as definitions have it. */
export type Schema = Record<string, unknown>;

export const percent = { type: "integer", minimum: 0, maximum: 100 };
export const object = (properties: Record<string, Schema>, more: Schema = {}): Schema => ({ type: "object", properties, ...more });
export const text = (description: string, more: Schema = {}): Schema => ({ type: "string", description, ...more });

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
