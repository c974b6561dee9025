import type { Refusal } from "../../runtime-images/protocol/headers.ts";

/** How an attempt on an instance ended before the function can have run. */
export type Failure =
  /** The instance refused it before user code ran and before the body was read. */
  | { kind: "refused"; why: Refusal }
  /** No byte was sent. */
  | { kind: "unsent" };

export interface Attempt {
  /** The whole body can be sent again: there is none, or it has at most 64 KiB. */
  replayable: boolean;
  /** Part of the body has been read from the client. */
  bodyStarted: boolean;
}

/**
 * Whether an invocation may be retried on another instance (I8 of docs/invariants.md: user code runs at most once). The
 * queue's timeout bounds how long it is retried. The time for which each instance that failed is not picked bounds how often.
 *
 * An attempt whose bytes were sent and not answered is never retried: the function may have run.
 */
export function mayRetry({ replayable, bodyStarted }: Attempt): boolean {
  return replayable || !bodyStarted;
}
