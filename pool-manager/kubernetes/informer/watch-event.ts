import type { KubeObject } from "../objects.ts";

const TYPES = ["ADDED", "MODIFIED", "DELETED", "BOOKMARK"] as const;

export interface WatchEvent<T> {
  type: (typeof TYPES)[number];
  object: T;
}

/** Versions rise, and can be compared as decimals (Kubernetes API concepts: officially since 1.35). */
export function isVersion(value: unknown): value is string {
  return typeof value === "string" && /^\d+$/.test(value);
}

/** What a line of a watch says; null: an error, or something that is not understood. A bookmark has no more than a version. */
export function eventOf<T extends KubeObject>(line: string): WatchEvent<T> | null {
  try {
    const event = JSON.parse(line) as WatchEvent<T> | null;
    const { name, uid, resourceVersion } = event?.object?.metadata ?? ({} as Partial<T["metadata"]>);
    if (!event || !TYPES.includes(event.type) || !isVersion(resourceVersion)) return null;
    return event.type === "BOOKMARK" || (name && uid) ? event : null;
  } catch {
    return null;
  }
}
