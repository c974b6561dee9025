import type { Refusal } from "../../runtime-images/protocol/headers.ts";
import type { Slot } from "./slot.ts";

/** After a failure to connect, or a refusal that the table does not explain yet, an instance rests: nobody is sent there. */
const REST_MS = { full: 10, draining: 1000, unreachable: 1000 } as const;
/** An invocation stays away for so long from an instance that serves something else by its own word. */
const AVOIDED_MS = 1000;

export type RestReason = keyof typeof REST_MS;

/**
 * Whether a refusal lets the instance rest. That it serves something else is what one request was told, and may lie in the
 * request: only that invocation avoids the instance, and others are still sent there.
 */
export function isForAll(why: Refusal): why is RestReason & Refusal {
  return why !== "stale";
}

export function restsUntil(reason: RestReason, now: number): number {
  return now + REST_MS[reason];
}

export function avoidedUntil(now: number): number {
  return now + AVOIDED_MS;
}

/** `until` comes from `avoidedUntil`; an instance is avoided until it has taken other code, or that time has come. */
export function isAvoided({ since }: Slot, until: number | undefined, now: number): boolean {
  return until !== undefined && until > now && since <= until - AVOIDED_MS;
}
