import { LOG_MARK, type LogLine } from "../messages.ts";
import { parseTraceparent } from "./trace-context.ts";

/** A line of a function's output. */
export interface CapturedLine {
  stream: "out" | "err";
  /** Null for output outside any invocation, or output that bypasses console and process.stdout. */
  callId: string | null;
  /** The trace of the invocation, and the span of the router that invoked it; null: it has none. */
  traceId: string | null;
  spanId: string | null;
  message: string;
}

/** The longest call id that a router passes on. */
const MAX_CALL_ID = 128;

/** Reads a line as an instance writes it. A function may print anything, the mark and any JSON included: such a line is raw output. */
export function readLine(line: string): CapturedLine {
  const { c, s, m, t } = capturedOf(line) ?? { c: null, s: "out", m: line, t: undefined };
  const trace = t === undefined ? null : parseTraceparent(t);
  return { stream: s === "err" ? "err" : "out", callId: c, traceId: trace?.traceId ?? null, spanId: trace?.spanId ?? null, message: m };
}

function capturedOf(line: string): LogLine | null {
  if (!line.startsWith(LOG_MARK)) return null;
  try {
    const { c, s, m, t } = (JSON.parse(line.slice(LOG_MARK.length)) ?? {}) as LogLine;
    const isCall = c === null || (typeof c === "string" && c.length <= MAX_CALL_ID);
    return isCall && typeof m === "string" ? { c, s, m, ...(typeof t === "string" && { t }) } : null;
  } catch {
    return null;
  }
}
