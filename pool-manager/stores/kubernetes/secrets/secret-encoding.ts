import { isDeepStrictEqual } from "node:util";
import type { FunctionRecord, Secrets } from "../../../functions/function.ts";

/** Values of secrets by revision, as a Secret's data keep them. */
export function encodeSecrets(secrets: Secrets): string {
  return Buffer.from(JSON.stringify(secrets)).toString("base64");
}

/** The same read again; null: somebody has damaged them. */
export function decodeSecrets(base64: string): Secrets | null {
  let found: unknown;
  try {
    found = JSON.parse(Buffer.from(base64, "base64").toString("utf8"));
  } catch {
    // What is no JSON has no values; whoever asked tells it.
    return null;
  }
  return isObject(found) && Object.values(found).every(isValues) ? (found as Secrets) : null;
}

/** Whether every value that is known of a record's revisions is kept, unchanged. */
export function isKept({ revisions }: FunctionRecord, secrets: Secrets, kept: Secrets | undefined): boolean {
  const known = revisions.filter(({ id, secretNames }) => secretNames.length > 0 && secrets[id] !== undefined);
  return known.every(({ id }) => isDeepStrictEqual(kept?.[id], secrets[id]));
}

function isValues(values: unknown): boolean {
  return isObject(values) && Object.values(values).every((value) => typeof value === "string");
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
