import { ManagerError } from "../errors.ts";

/** Throws `MANIFEST_INVALID`. */
export function objectOf(body: unknown): Record<string, unknown> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new ManagerError("MANIFEST_INVALID", "the body must be a JSON object");
  }
  return body as Record<string, unknown>;
}

/** A boolean field of a body; undefined if absent. Throws `MANIFEST_INVALID`. */
export function flagOf(field: string, value: unknown): boolean | undefined {
  if (value === undefined || typeof value === "boolean") return value;
  throw new ManagerError("MANIFEST_INVALID", `${field}: must be true or false, and is ${JSON.stringify(value).slice(0, 80)}`, field);
}
