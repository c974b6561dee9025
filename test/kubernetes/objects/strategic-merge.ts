import { badRequest } from "../api/api-error.ts";
import { type Fields, isFields } from "./object.ts";

/** Lists of built-in kinds whose items are known by a key; all others are replaced as a whole. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  ownerReferences: "uid",
  containers: "name",
  initContainers: "name",
  volumes: "name",
  env: "name",
  conditions: "type",
  volumeMounts: "mountPath",
  imagePullSecrets: "name",
  tolerations: "key",
};
/** Lists of plain values that are joined. */
const MERGED = new Set(["finalizers"]);

/** Strategic merge patch, as built-in kinds take it: with `$patch: replace` and `$patch: delete`. */
export function strategicMerge(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const { $patch: directive, ...changes } = patch;
  if (directive === "replace") return changes;
  const result: Fields = isFields(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) delete result[name];
    else if (Array.isArray(value)) result[name] = mergeList(name, (result[name] as unknown[] | undefined) ?? [], value);
    else result[name] = strategicMerge(result[name], value);
  }
  return result;
}

function mergeList(name: string, target: readonly unknown[], patch: readonly unknown[]): unknown[] {
  const isReplaced = patch.some((item) => isFields(item) && item.$patch === "replace");
  const items = patch.filter((item) => !(isFields(item) && item.$patch === "replace" && Object.keys(item).length === 1));
  const key = MERGE_KEYS[name];
  if (isReplaced) return items;
  if (MERGED.has(name)) return [...new Set([...target, ...items])];
  if (!key) return items;
  return items.reduce<unknown[]>((list, item) => mergeItem(list, item, key), [...target]);
}

function mergeItem(list: unknown[], item: unknown, key: string): unknown[] {
  if (!isFields(item) || item[key] === undefined) throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
  const index = list.findIndex((one) => isFields(one) && one[key] === item[key]);
  if (item.$patch === "delete") return list.filter((_, i) => i !== index);
  if (index < 0) return [...list, strategicMerge({}, item)];
  return list.map((one, i) => (i === index ? strategicMerge(one, item) : one));
}
