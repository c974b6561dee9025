import { expect, test } from "vitest";
import { newSpanId, newTraceId } from "../../../../router/traces/ids.ts";
import { beginTrace } from "../../../../router/traces/traces.ts";
import { formatTraceparent, parseTraceparent } from "../../../../runtime-images/protocol/telemetry/trace-context.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

test.each([
  [`00-${TRACE}-${SPAN}-01`, true],
  [`00-${TRACE}-${SPAN}-00`, false],
  // Other flags than the lowest are not known.
  [`00-${TRACE}-${SPAN}-fe`, false],
  // A later version, with a field that this one does not know.
  [`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, true],
])("%s is read", (header, isSampled) => {
  expect(parseTraceparent(header)).toEqual({ traceId: TRACE, spanId: SPAN, isSampled });
});

test.each([
  undefined,
  "",
  "00",
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}-${SPAN}-01-more`,
  `00-${TRACE}-${SPAN}-1`,
  `ff-${TRACE}-${SPAN}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${"0".repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${"0".repeat(16)}-01`,
  `00-${TRACE.slice(1)}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
])("%s is invalid, and begins a new trace", (header) => {
  expect(parseTraceparent(header)).toBeNull();
  const { context, parentSpanId } = beginTrace(header, 1);
  expect(context.traceId).not.toBe(TRACE);
  expect(parentSpanId).toBeNull();
});

test("what is written can be read", () => {
  const context = { traceId: newTraceId(), spanId: newSpanId(), isSampled: true };
  expect(parseTraceparent(formatTraceparent(context))).toEqual(context);
});

test("ids are new", () => {
  expect(new Set(Array.from({ length: 2000 }, newTraceId)).size).toBe(2000);
  expect(new Set(Array.from({ length: 2000 }, newSpanId)).size).toBe(2000);
});

test("a caller's trace continues with a new span, and its decision to sample stays", () => {
  for (const [flag, isSampled] of [
    ["01", true],
    ["00", false],
  ] as const) {
    const { context, parentSpanId, traceparent } = beginTrace(`00-${TRACE}-${SPAN}-${flag}`, isSampled ? 0 : 1);
    expect({ context, parentSpanId }).toEqual({ context: { traceId: TRACE, spanId: expect.not.stringContaining(SPAN), isSampled }, parentSpanId: SPAN });
    expect(traceparent).toBe(`00-${TRACE}-${context.spanId}-${flag}`);
  }
});

test("the share of the traces that begin here is sampled, by the trace's id alone", () => {
  const sampled = (share: number) => Array.from({ length: 4000 }, () => beginTrace(undefined, share)).filter(({ context }) => context.isSampled).length;
  expect([sampled(0), sampled(1)]).toEqual([0, 4000]);
  // Four standard deviations either side.
  expect(sampled(0.1)).toBeGreaterThan(320);
  expect(sampled(0.1)).toBeLessThan(480);
});
