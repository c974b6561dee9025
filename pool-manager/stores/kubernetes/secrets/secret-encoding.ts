import { isDeepStrictEqual } from "node:util";
import type { FunctionRecord, Secrets } from "../../../functions/function.ts";

/** Encodes secret values by revision for the data of a Secret. */
export function encodeSecrets(secrets: Secrets): string {
  return Buffer.from(JSON.stringify(secrets)).toString("base64");
}

/** Decodes what `encodeSecrets` wrote; null: it is damaged. */
export function decodeSecrets(base64: string): Secrets | null {
  let found: unknown;
  try {
    found = JSON.parse(Buffer.from(base64, "base64").toString("utf8"));
  } catch {
    // Not JSON: the caller reports it.
    return null;
  }
  return isObject(found) && Object.values(found).every(isValues) ? (found as Secrets) : null;
}

/** Whether all known values of a record's revisions are kept unchanged. */
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
