import { draining } from "./draining.ts";
import { eventStream } from "./events.ts";
import { eventsAsPayload } from "./events-as-payload.ts";
import { failures } from "./failures.ts";
import { invocations } from "./invocations.ts";
import { newRevision } from "./new-revision.ts";
import { orders } from "./orders.ts";
import type { Check } from "./subject.ts";

/** What every runtime must do; a runtime's own test starts an instance for each check. */
export const conformance: Check[] = [...orders, ...invocations, ...eventsAsPayload, ...failures, ...newRevision, ...draining, ...eventStream];
