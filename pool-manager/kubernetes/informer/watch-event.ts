import type { KubeObject } from "../objects.ts";

const TYPES = ["ADDED", "MODIFIED", "DELETED", "BOOKMARK"] as const;

export interface WatchEvent<T> {
  type: (typeof TYPES)[number];
  object: T;
}

/** Whether a value is a resourceVersion that can be compared as a decimal (Kubernetes API concepts: officially since 1.35). */
export function isVersion(value: unknown): value is string {
  return typeof value === "string" && /^\d+$/.test(value);
}

/** Parses a line of a watch; null: an error, or an unknown event. A bookmark carries only a version. */
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
