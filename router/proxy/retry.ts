import type { Refusal } from "../../runtime-images/protocol/headers.ts";

/** How an attempt on an instance ended without an answer of the function's. */
export type Failure =
  /** The instance turned it away before user code and before the body was read. */
  | { kind: "refused"; why: Refusal }
  /** No byte was sent. */
  | { kind: "unsent" }
  /** Bytes were sent and no response came: the function may have run. */
  | { kind: "broken" };

export interface Attempt {
  /** The whole body is at hand to be sent again (none, or at most 64 KiB). */
  replayable: boolean;
  /** Some of the body has been taken from the client. */
  bodyStarted: boolean;
}

/**
 * Whether an invocation may be tried elsewhere (I8 of docs/invariants.md: user code runs at most once). The queue's timeout bounds
 * how long it is tried, and the rest of each instance that failed it how often.
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
