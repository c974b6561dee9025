import type { KubeObject } from "../../../kubernetes/objects.ts";

interface Written {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
}

/** Names of labels and annotations. */
export interface Dropped {
  labels: string[];
  annotations: string[];
}

/** What a write of Berth's own has set in an object's metadata and the answer lacks: a webhook or a policy has changed it. */
export function droppedFrom({ metadata: sent }: Written, { metadata: kept }: KubeObject): Dropped {
  return { labels: lacking(sent?.labels, kept.labels), annotations: lacking(sent?.annotations, kept.annotations) };
}

function lacking(sent: Record<string, string> = {}, kept: Record<string, string> = {}): string[] {
  return Object.entries(sent).flatMap(([name, value]) => (kept[name] === value || !name.startsWith("berth.dev/") ? [] : [name]));
}
