import type { TracedInvocation } from "./traces.ts";

/** A span before it is exported. Times are milliseconds on the router's clock. */
export interface PhaseSpan {
  name: string;
  startAt: number;
  endAt: number;
}

/** The phases of an invocation, in order; those that took no time are left out. They are those of its `server-timing`. */
export function phasesOf({ arrivedAt, grantedAt, claimMs, parkedMs, answeredAt, endedAt }: TracedInvocation): PhaseSpan[] {
  if (grantedAt === null) return [{ name: "queue", startAt: arrivedAt, endAt: endedAt }];
  const claimAt = Math.max(arrivedAt, grantedAt - claimMs);
  const loadedAt = Math.min(grantedAt + parkedMs, answeredAt ?? endedAt);
  const phases = [
    { name: "queue", startAt: arrivedAt, endAt: claimAt },
    { name: "claim", startAt: claimAt, endAt: grantedAt },
    { name: "load", startAt: grantedAt, endAt: loadedAt },
    { name: "run", startAt: loadedAt, endAt: answeredAt ?? endedAt },
    { name: "respond", startAt: answeredAt ?? endedAt, endAt: endedAt },
  ];
  return phases.filter(({ startAt, endAt }) => endAt > startAt);
}

/** Attributes of the invocation's span, by OpenTelemetry's semantic conventions where they have a name. */
export function attributesOf(invocation: TracedInvocation): Record<string, string | number | boolean> {
  const { revision, callId, method, status, start, error } = invocation;
  return {
    "faas.trigger": "http",
    "faas.coldstart": start !== "warm",
    "faas.invocation_id": callId,
    ...(revision !== "" && { "faas.version": revision }),
    "http.request.method": method,
    "http.response.status_code": status,
    "berth.start": start,
    ...(error !== null && { "error.type": error }),
  };
}
