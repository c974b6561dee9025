import { type ApiObject, type Fields, isFields, valueAt } from "./object.ts";

/** Fields that the server sets, and that have no owner. */
const SERVER_OWNED = new Set([
  "name",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "managedFields",
]);

/**
 * Fields of an object as paths: its scalars, lists (as a whole: simpler than the real server, which knows the keys of
 * some lists) and empty objects. A path is kept as JSON, so that sets of them can be compared.
 */
export type FieldSet = ReadonlySet<string>;

export function pathOf(field: string): string[] {
  return JSON.parse(field) as string[];
}

export function fieldsOf({ apiVersion: _, kind: __, metadata, ...rest }: ApiObject): FieldSet {
  const own = Object.fromEntries(Object.entries(metadata).filter(([name]) => !SERVER_OWNED.has(name)));
  const fields = new Set<string>();
  collect({ ...(Object.keys(own).length > 0 && { metadata: own }), ...rest }, [], fields);
  return fields;
}

function collect(value: unknown, path: string[], into: Set<string>): void {
  if (!isFields(value) || (Object.keys(value).length === 0 && path.length > 0)) {
    into.add(JSON.stringify(path));
    return;
  }
  for (const [name, inner] of Object.entries(value)) if (inner !== undefined) collect(inner, [...path, name], into);
}

/** The form of `metadata.managedFields`. */
export function toFieldsV1(fields: FieldSet): Fields {
  const root: Fields = {};
  for (const field of fields) {
    let at = root;
    for (const name of pathOf(field)) {
      const key = `f:${name}`;
      at[key] ??= {};
      at = at[key] as Fields;
    }
  }
  return root;
}

export function fromFieldsV1(value: Fields): FieldSet {
  const fields = new Set<string>();
  const walk = (node: Fields, path: string[]) => {
    const inner = Object.entries(node).filter(([key]) => key.startsWith("f:"));
    if (inner.length === 0 && path.length > 0) fields.add(JSON.stringify(path));
    for (const [key, next] of inner) walk(next as Fields, [...path, key.slice(2)]);
  };
  walk(value, []);
  return fields;
}

export function getField(object: ApiObject, field: string): unknown {
  return valueAt(object, pathOf(field));
}

/** Sets a field of a copy that may be changed; an empty object leaves what is there. */
export function setField(object: ApiObject, field: string, value: unknown): void {
  const path = pathOf(field);
  let at: Fields = object;
  for (const name of path.slice(0, -1)) {
    if (!isFields(at[name])) at[name] = {};
    at = at[name] as Fields;
  }
  const last = path.at(-1) as string;
  if (isFields(value) && isFields(at[last])) return;
  at[last] = structuredClone(value);
}

/** Removes a field, and the objects that become empty by it. */
export function removeField(object: ApiObject, field: string): void {
  const path = pathOf(field);
  for (let depth = path.length; depth > 0; depth--) {
    const holder = valueAt(object, path.slice(0, depth - 1));
    const name = path[depth - 1] as string;
    if (!isFields(holder) || !(name in holder)) return;
    if (depth < path.length && Object.keys(holder[name] as Fields).length > 0) return;
    // The spec itself stays, even empty.
    if (depth === 1) return;
    delete holder[name];
  }
}
