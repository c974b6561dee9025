import { KubeError } from "../../../kubernetes/error.ts";
import type { CloneSet } from "../objects/objects.ts";

/** The `reason` of errors that say why pods are not created; they are reported until some are. */
export const REFUSED = "Refused";

/**
 * Why a CloneSet that is being deleted cannot be used: Kruise neither creates nor deletes pods of it. Null: it is not being
 * deleted. Its pods serve until it is gone; then Kubernetes deletes them, and Berth creates another CloneSet.
 */
export function endingOf({ metadata }: CloneSet): string | null {
  if (!metadata.deletionTimestamp) return null;
  const holders = metadata.finalizers?.join(", ");
  const waits = holders ? ` and waits for the finalizers ${holders}: their owners must remove them` : "";
  return `CloneSet ${metadata.name} is being deleted${waits}; another one is created once it is gone`;
}

/** Throws if the CloneSet is being deleted. */
export function notEnding(set: CloneSet): CloneSet {
  const ending = endingOf(set);
  if (ending) throw new KubeError(403, REFUSED, ending);
  return set;
}
