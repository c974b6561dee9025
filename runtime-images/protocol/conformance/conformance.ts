import { draining } from "./draining.ts";
import { eventStream } from "./events.ts";
import { eventsAsPayload } from "./events-as-payload.ts";
import { failures } from "./failures.ts";
import { invocations } from "./invocations.ts";
import { newRevision } from "./new-revision.ts";
import { orders } from "./orders.ts";
import type { Check } from "./subject.ts";

/** The checks that every runtime must pass; a runtime's own test starts an instance for each of them. */
export const conformance: Check[] = [...orders, ...invocations, ...eventsAsPayload, ...failures, ...newRevision, ...draining, ...eventStream];
