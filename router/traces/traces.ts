import { formatTraceparent, parseTraceparent, type TraceContext } from "../../runtime-images/protocol/telemetry/trace-context.ts";
import { newSpanId, newTraceId } from "./ids.ts";

/** The part of a trace that one invocation is. */
export interface InvocationTrace {
  /** Its own span, which is the parent of what the function records. */
  context: TraceContext;
  /** The caller's span; null: the trace begins here. */
  parentSpanId: string | null;
  /** The value of `traceparent` for the instance. */
  traceparent: string;
}

/** A finished invocation, for its spans. Times are milliseconds on the router's clock. */
export interface TracedInvocation {
  trace: InvocationTrace;
  function: string;
  revision: string;
  callId: string;
  method: string;
  status: number;
  /** How its instance was started. */
  start: string;
  /** The platform's error code; null: the function answered. */
  error: string | null;
  arrivedAt: number;
  /** When it got its last slot; null: never. */
  grantedAt: number | null;
  claimMs: number;
  parkedMs: number;
  /** When its response began; null: never. */
  answeredAt: number | null;
  endedAt: number;
}

export interface Traces {
  begin(traceparent: string | undefined): InvocationTrace;
  /** Records a sampled invocation. */
  ended(invocation: TracedInvocation): void;
}

/**
 * Begins the trace of an invocation, or continues its caller's. A caller's decision to sample holds; otherwise a `share` (0 to 1)
 * of the traces is sampled, by the trace's id, so that all services with this share sample the same ones.
 */
export function beginTrace(header: string | undefined, share: number): InvocationTrace {
  const parent = parseTraceparent(header);
  const traceId = parent?.traceId ?? newTraceId();
  const context = { traceId, spanId: newSpanId(), isSampled: parent?.isSampled ?? isSampled(traceId, share) };
  return { context, parentSpanId: parent?.spanId ?? null, traceparent: formatTraceparent(context) };
}

/** Whether the last 52 bits of the id, as a fraction, are below the share. */
function isSampled(traceId: string, share: number): boolean {
  return Number.parseInt(traceId.slice(-13), 16) < share * 2 ** 52;
}
