import type { Refusal } from "../../runtime-images/protocol/headers.ts";

/** How an attempt on an instance ended without a response from the function. */
export type Failure =
  /** The instance refused it before user code ran and before the body was read. */
  | { kind: "refused"; why: Refusal }
  /** No byte was sent. */
  | { kind: "unsent" }
  /** Bytes were sent and no response came: the function may have run. */
  | { kind: "broken" };

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
 * | failure | body untouched or kept | body partly passed on |
 * |---------|------------------------|-----------------------|
 * | refused | retry                  | answer                |
 * | unsent  | retry                  | answer                |
 * | broken  | answer                 | answer                |
 */
export function mayRetry(failure: Failure, { replayable, bodyStarted }: Attempt): boolean {
  return failure.kind !== "broken" && (replayable || !bodyStarted);
}
