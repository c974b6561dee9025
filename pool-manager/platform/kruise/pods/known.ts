import type { Echo } from "../../../../runtime-images/protocol/messages.ts";
import type { Sightings } from "./obstacle.ts";

/** The knowledge of an instance that its pod does not carry. */
export interface Known {
  echo: Echo | null;
  readyAt: number | null;
  createdAt: number;
  seen: Sightings;
  /** It was made of the present template of its pool. */
  isCurrent: boolean;
  /** Owner (uid) that was told to delete it; null: none. A claim on its way may have moved the pod to another one since. */
  askedOf: string | null;
  key: string | null;
  /** Counts the changes of what Berth decides by. */
  version: number;
  /** When the image that it is bound with was asked for; null: it runs, or none was. Milliseconds on the platform's clock. */
  swapSince: number | null;
  /** The swap has not ended by its deadline. */
  overdue: boolean;
}

/** Of a pod that is seen for the first time, and has said nothing yet. */
export function firstKnown(createdAt: number, seen: Sightings, isCurrent: boolean): Known {
  return { echo: null, readyAt: null, createdAt, seen, isCurrent, askedOf: null, key: null, version: 1, swapSince: null, overdue: false };
}

/** Whether an echo is newer than the one that is known: of another boot, or a later one of the same. */
export function isNews({ echo: known }: Known, echo: Echo): boolean {
  return !known || known.bootId !== echo.bootId || echo.version > known.version;
}

/** It has ended, or is being deleted. */
export function isEnding({ seen }: Known): boolean {
  return seen.endedSince !== null || seen.deletingSince !== null;
}
