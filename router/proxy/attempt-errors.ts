import type { Endpoint, LoadFailure, TableFunction } from "../../pool-manager/client/contract.ts";
import { FAILURE_CODES, RouterError } from "../errors.ts";
import type { ServedRevision } from "../routing/served-revision.ts";
import type { PeerLostError } from "../upstream/peer-probe.ts";
import type { ResponseInvalidError } from "../upstream/response-head.ts";
import type { Overrun } from "./attempt.ts";

/** How long an invocation whose connection broke waits to learn why. */
const REASON_MS = 250;

/** The network of the instance is cut or its host is gone: the function may have run, and nothing will be heard of it. */
export function lostError({ message }: PeerLostError): RouterError {
  return new RouterError("INSTANCE_LOST", message);
}

/** The function's own fault, and of this response alone: the instance goes on, without the connection. */
export function invalidError(functionName: string, { message }: ResponseInvalidError): RouterError {
  return new RouterError("RESPONSE_INVALID", `the response of ${functionName} cannot be passed on: ${message}`);
}

export function overrunError(what: Overrun, { name, timeoutMs, loadTimeoutMs }: TableFunction): RouterError {
  return what === "run"
    ? new RouterError("FUNCTION_TIMEOUT", `${name} did not finish within ${timeoutMs} ms (timeout)`)
    : new RouterError("FUNCTION_LOAD_TIMEOUT", `the code of ${name} did not load within ${loadTimeoutMs} ms (loadTimeout)`);
}

/**
 * Bytes were sent and no response came: tells the error once the instance's failure is known, or after `REASON_MS`
 * without one: then the instance is suspect. What is returned ends the wait: nothing is told, and nothing is suspected.
 */
export function learnWhyBroken(entry: ServedRevision, { instanceUid: uid, bootId }: Endpoint, tell: (error: RouterError) => void): () => void {
  // A failure that is known already is told before `failureOf` returns.
  let unsubscribe = (): void => {};
  const answer = (failure: LoadFailure | null) => {
    stop();
    if (!failure) entry.suspect({ uid, bootId, reason: "unreachable" });
    tell(whyBroken(failure));
  };
  const endTimer = entry.clock.after(REASON_MS, () => answer(null));
  const stop = (): void => {
    endTimer();
    unsubscribe();
  };
  unsubscribe = entry.failureOf(uid, answer);
  return stop;
}

function whyBroken(failure: LoadFailure | null): RouterError {
  if (!failure) return new RouterError("FUNCTION_CRASHED", "the connection to the instance broke before it answered");
  return new RouterError(FAILURE_CODES[failure.reason], failure.message);
}
