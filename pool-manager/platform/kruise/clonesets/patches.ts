import { type JsonPatch, pointer } from "../../../kubernetes/json-patch.ts";
import { ANNOTATION, type CloneSet } from "../objects/objects.ts";

/** Maps of a CloneSet that can vanish entirely by an edit (`kubectl patch`, `kubectl annotate X berth.dev/term-`). */
const MAPS = {
  "/metadata/labels": ({ metadata }: CloneSet) => metadata.labels,
  "/metadata/annotations": ({ metadata }: CloneSet) => metadata.annotations,
  "/spec/scaleStrategy": ({ spec }: CloneSet) => spec.scaleStrategy,
  "/spec/updateStrategy": ({ spec }: CloneSet) => spec.updateStrategy,
};

/**
 * Completes a change of a CloneSet with the leader's term and with maps that are missing there: the API server refuses a
 * step into a missing map (422). A map is added only if the CloneSet has not changed since it was read: a map that was
 * created meanwhile would be emptied.
 */
export function setPatch(set: CloneSet, change: JsonPatch, term: number): JsonPatch {
  const steps: JsonPatch = [...change, { op: "add", path: `/metadata/annotations/${pointer(ANNOTATION.term)}`, value: String(term) }];
  const missing = Object.entries(MAPS).filter(([path, mapOf]) => !mapOf(set) && steps.some((step) => step.path.startsWith(`${path}/`)));
  if (missing.length === 0) return steps;
  const unchanged = { op: "test", path: "/metadata/resourceVersion", value: set.metadata.resourceVersion } as const;
  return [unchanged, ...missing.map(([path]) => ({ op: "add", path, value: {} }) as const), ...steps];
}
