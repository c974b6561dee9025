import { isDeepStrictEqual } from "node:util";
import { ApiError } from "../api/api-error.ts";
import { type FieldSet, fieldsOf, fromFieldsV1, getField, pathOf, removeField, setField, toFieldsV1 } from "./field-sets.ts";
import { type ApiObject, type ManagedFields, timestamp } from "./object.ts";

/** The writer and the kind of its write. */
export interface Writer {
  manager: string;
  operation: ManagedFields["operation"];
  apiVersion: string;
  subresource: string;
}

/** The owners of an object's fields after a creation or an update other than apply: the writers that set their values last. */
export function ownersAfterUpdate(before: ApiObject | null, after: ApiObject, writer: Writer): ManagedFields[] {
  const entries = before?.metadata.managedFields ?? [];
  const present = fieldsOf(after);
  const changed = new Set([...present].filter((field) => !before || !isDeepStrictEqual(getField(before, field), getField(after, field))));
  const next = entries.flatMap((entry) => {
    const own = isOf(entry, writer);
    const kept = [...fromFieldsV1(entry.fieldsV1)].filter((field) => getField(after, field) !== undefined && (own || !changed.has(field)));
    return withFields(entry, new Set(own ? [...kept, ...changed] : kept));
  });
  if (changed.size > 0 && !entries.some((entry) => isOf(entry, writer))) next.push(newEntry(writer, changed));
  return next;
}

/**
 * Server-side apply: the configuration's fields are set and owned; a field that its manager owned before and now omits
 * is removed, unless another one owns it too. Throws 409 if another manager owns a field with another value, unless forced.
 */
export function apply(live: ApiObject, configuration: ApiObject, writer: Writer, force: boolean): ApiObject {
  const said = fieldsOf(configuration);
  const entries = live.metadata.managedFields ?? [];
  const others = entries.filter((entry) => !isOf(entry, writer));
  const differs = (field: string) => !isDeepStrictEqual(getField(live, field), getField(configuration, field));
  const conflicts = others.flatMap((entry) =>
    [...fromFieldsV1(entry.fieldsV1)].filter((field) => said.has(field) && differs(field)).map((field) => ({ entry, field })),
  );
  if (conflicts.length > 0 && !force) throw applyConflict(conflicts);
  const taken = new Set(conflicts.map(({ field }) => field));
  const left = others.flatMap((entry) => withFields(entry, new Set([...fromFieldsV1(entry.fieldsV1)].filter((field) => !taken.has(field)))));
  const merged = structuredClone(live);
  const mine = entries.find((entry) => isOf(entry, writer));
  const owned = new Set(left.flatMap((entry) => [...fromFieldsV1(entry.fieldsV1)]));
  for (const field of mine ? fromFieldsV1(mine.fieldsV1) : []) if (!said.has(field) && !owned.has(field)) removeField(merged, field);
  for (const field of said) setField(merged, field, getField(configuration, field));
  merged.metadata.managedFields = [...left, ...(mine ? withFields(mine, said) : [newEntry(writer, said)])];
  return merged;
}

function isOf(entry: ManagedFields, { manager, operation, subresource }: Writer): boolean {
  return entry.manager === manager && entry.operation === operation && (entry.subresource ?? "") === subresource;
}

function newEntry({ subresource, ...writer }: Writer, fields: FieldSet): ManagedFields {
  return { ...writer, time: timestamp(), fieldsType: "FieldsV1", fieldsV1: toFieldsV1(fields), ...(subresource && { subresource }) };
}

/** The entry with other fields; none is left without any. */
function withFields(entry: ManagedFields, fields: FieldSet): ManagedFields[] {
  if (fields.size === 0) return [];
  const fieldsV1 = toFieldsV1(fields);
  return isDeepStrictEqual(fieldsV1, entry.fieldsV1) ? [entry] : [{ ...entry, time: timestamp(), fieldsV1 }];
}

function named({ manager, operation, subresource, apiVersion }: ManagedFields): string {
  return `"${manager}"${subresource ? ` with subresource "${subresource}"` : ""}${operation === "Update" ? ` using ${apiVersion}` : ""}`;
}

function applyConflict(conflicts: { entry: ManagedFields; field: string }[]): ApiError {
  const causes = conflicts.map(({ entry, field }) => ({
    reason: "FieldManagerConflict",
    message: `conflict with ${named(entry)}`,
    field: `.${pathOf(field).join(".")}`,
  }));
  const [first] = causes;
  const one = `Apply failed with 1 conflict: ${first?.message}: ${first?.field}`;
  const managers = [...new Set(causes.map(({ message }) => message.replace("conflict with", "conflicts with")))];
  const lines = managers.map((manager) => {
    const own = causes.filter(({ message }) => message.replace("conflict with", "conflicts with") === manager);
    return `${manager}:\n${own.map(({ field }) => `- ${field}`).join("\n")}`;
  });
  const message = causes.length === 1 ? one : `Apply failed with ${causes.length} conflicts: ${lines.join("\n")}`;
  return new ApiError(409, "Conflict", message, { causes });
}
