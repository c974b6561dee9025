/** The fields of `traceparent`. Source: W3C Trace Context, level 1. */
export interface TraceContext {
  /** 32 lower-case hexadecimal digits. */
  traceId: string;
  /** 16 lower-case hexadecimal digits. */
  spanId: string;
  isSampled: boolean;
}

export const TRACEPARENT = "traceparent";

/** Later versions may add fields; those that this one knows keep their places. */
const FORM = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Reads the header's value; null: it is invalid, and the trace begins here. */
export function parseTraceparent(value: string | undefined): TraceContext | null {
  const match = value === undefined ? null : FORM.exec(value);
  if (!match) return null;
  const [, version, traceId = "", spanId = "", flags = "", more] = match;
  if (version === "00" && more !== undefined) return null;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export function formatTraceparent({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}
