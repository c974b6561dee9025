export type JsonPatch = { op: "test" | "replace" | "add"; path: string; value: unknown }[];

/** Escapes a key for a JSON Pointer (RFC 6901). */
export function pointer(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

/**
 * The patch after which `found` contains everything in `wanted`. List items are matched by their `name`, or by index if
 * they have none.
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
