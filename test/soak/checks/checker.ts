import type { HistoryRecord } from "../history.ts";
import { checkBalance } from "./check-balance.ts";
import { checkChanges } from "./check-changes.ts";
import { checkInstances } from "./check-instances.ts";
import { checkInvocations, type InvocationVerdict } from "./check-invocations.ts";
import { Faults, Revisions } from "./timeline.ts";

/**
 * The rules, of which everything that breaks one is a violation:
 *
 * Invocations
 * 1. Every invocation that began has ended (else it is lost).
 * 2. (I8) A function runs at most once for one invocation (else it is doubled), and exactly once for one that was answered 200.
 * 3. What ran and what answered is the same code, and code that the function had at some moment of the invocation. What
 *    the manage API has answered, every router knows from then on: except one that was paused or had no pool manager at
 *    that time, which knows it a few seconds after that is over.
 * 4. The revision that the answer names is the one whose code ran.
 * 5. Every answer but 200 is explained by what was done at that time, and only by this:
 *    - 404 FUNCTION_NOT_FOUND and 503 FUNCTION_DELETED: the function was not there at some moment of the invocation;
 *    - 503 NOT_READY: the same, while something was done to Berth (the router cannot tell that it does not exist);
 *    - a connection to a router that breaks: that very router was killed;
 *    - 502 ROUTER_LOST: another router was killed;
 *    - 502 INSTANCE_LOST and FUNCTION_CRASHED: the instance on which it ran was ended (any one, where it never ran);
 *    - 503 INSTANCE_UNAVAILABLE: its body is longer than routers keep, it never ran, and just before the function was changed
 *      or something was done to Berth (routers that do not know of each other yet share an instance's slots badly).
 *    Queues that are full, timeouts, blocked pools, routers without a table or in shutdown have no explanation: every fault
 *    ends long before a queue's timeout, and clients use ready routers alone.
 *
 * Instances
 * 6. An instance that a pool manager no longer lists was removed with a reason (`instance.removing`), or ended by a fault.
 * 7. A crash, and the removal of one that failed, follows code that did not load, or a fault that ended this very instance.
 *    Other reasons that speak of trouble (suspect, unreachable, start-timeout, orphaned, misbound) follow any fault.
 * 8. (I1) No instance serves two functions.
 *
 * Changes of functions
 * 9. One that fails, or has no answer, follows a fault.
 *
 * Balance, when all functions are deleted and everything has come to rest
 * 10. (I12, I15) The pool has its size, of prewarmed instances, and nothing else; the platform has a pod or process for each, and no other.
 * 11. Every code image that is kept was some function's. One that was given up goes within a quarter of an hour, if the
 *     same pool manager has led all that time (another one has not seen the end, and keeps it for a day).
 * 12. Memory of pool manager and routers at the end is at most half as much again as early in the run, and 24 MB.
 */
export interface Verdict {
  violations: string[];
  invocations: InvocationVerdict;
}

export function check(records: readonly HistoryRecord[]): Verdict {
  const faults = new Faults(records);
  const revisions = new Revisions(records, faults);
  const invocations = checkInvocations(records, faults, revisions);
  return {
    violations: [...invocations.violations, ...checkInstances(records, faults), ...checkChanges(records, faults), ...checkBalance(records)],
    invocations,
  };
}
