import type { KubeObject } from "../../../kubernetes/objects.ts";

interface Written {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
}

/** Names of dropped labels and annotations. */
export interface Dropped {
  labels: string[];
  annotations: string[];
}

/** The labels and annotations of Berth that a write has set and its answer lacks: a webhook or a policy has changed them. */
export function droppedFrom({ metadata: sent }: Written, { metadata: kept }: KubeObject): Dropped {
  return { labels: lacking(sent?.labels, kept.labels), annotations: lacking(sent?.annotations, kept.annotations) };
}

function lacking(sent: Record<string, string> = {}, kept: Record<string, string> = {}): string[] {
  return Object.entries(sent).flatMap(([name, value]) => (kept[name] === value || !name.startsWith("berth.dev/") ? [] : [name]));
}
