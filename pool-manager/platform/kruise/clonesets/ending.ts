import { KubeError } from "../../../kubernetes/error.ts";
import type { CloneSet } from "../objects/objects.ts";

/** Of errors that say why pods do not come: they are told until some do. */
export const REFUSED = "Refused";

/**
 * Why nothing can be asked of a CloneSet that somebody has deleted: Kruise creates and deletes no pods of it any more. Null:
 * nobody has. Its pods serve until it is gone, when Kubernetes deletes them and another one is made.
 */
export function endingOf({ metadata }: CloneSet): string | null {
  if (!metadata.deletionTimestamp) return null;
  const holders = metadata.finalizers?.join(", ");
  const waits = holders ? ` and waits for the finalizers ${holders}: whoever has set them has to take them away` : "";
  return `CloneSet ${metadata.name} is being deleted${waits}; another one is made once it is gone`;
}

/** Throws where the CloneSet is on its way out. */
export function notEnding(set: CloneSet): CloneSet {
  const ending = endingOf(set);
  if (ending) throw new KubeError(403, REFUSED, ending);
  return set;
}
