import type { CapturedLine } from "./captured-line.ts";

/** Where a line comes from; fields left out are not known. */
export interface LineOrigin {
  function?: string;
  revision?: string;
  /** The instance's uid. */
  instance: string;
}

const LEVELS = { out: "info", err: "error" } as const;

/**
 * A line of a function's output as a JSON object for collectors of logs: `time` (ISO 8601), `level`, `message`, `trace_id` and
 * `span_id` (OpenTelemetry's names outside of OTLP), `callId`, and its origin. A message that is a JSON object, as structured
 * loggers print it, gives its own fields instead of `message`; they also replace time, level and ids of the trace, and never
 * the call or the origin.
 */
export function jsonLine({ stream, callId, traceId, spanId, message }: CapturedLine, origin: LineOrigin, time: string): string {
  const fields = objectOf(message) ?? { message };
  // A span belongs to its trace: where the message names either, both are its own.
  const isTraced = traceId === null || "trace_id" in fields || "span_id" in fields;
  const trace = isTraced ? null : { trace_id: traceId, span_id: spanId };
  return JSON.stringify({ time, level: LEVELS[stream], ...trace, ...fields, ...origin, callId });
}

function objectOf(message: string): Record<string, unknown> | null {
  if (!message.startsWith("{") || !message.trimEnd().endsWith("}")) return null;
  try {
    return JSON.parse(message) as Record<string, unknown>;
  } catch {
    return null;
  }
}
