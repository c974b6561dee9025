export type JsonPatch = { op: "test" | "replace" | "add"; path: string; value: unknown }[];

/** A key as a part of a path. */
export function pointer(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

/**
 * The patch after which `found` has everything that `wanted` has; items of lists are told apart by their name,
 * where they have one.
 */
export function changesOf(wanted: unknown, found: unknown, path: string): JsonPatch {
  if (Array.isArray(wanted) && Array.isArray(found)) return wanted.flatMap((item, index) => changesOfItem(item, index, found, path));
  if (isObject(wanted) && isObject(found)) {
    return Object.entries(wanted).flatMap(([key, value]): JsonPatch => {
      const at = `${path}/${pointer(key)}`;
      return key in found ? changesOf(value, found[key], at) : [{ op: "add", path: at, value }];
    });
  }
  return wanted === found ? [] : [{ op: "replace", path, value: wanted }];
}

function changesOfItem(item: unknown, index: number, found: readonly unknown[], path: string): JsonPatch {
  const name = isObject(item) ? item.name : undefined;
  const at = name === undefined ? index : found.findIndex((other) => isObject(other) && other.name === name);
  return at >= 0 && at < found.length ? changesOf(item, found[at], `${path}/${at}`) : [{ op: "add", path: `${path}/-`, value: item }];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
