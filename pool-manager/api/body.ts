import { ManagerError } from "../errors.ts";

/** Throws `MANIFEST_INVALID`. */
export function objectOf(body: unknown): Record<string, unknown> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new ManagerError("MANIFEST_INVALID", "the body must be a JSON object");
  }
  return body as Record<string, unknown>;
}
