import { expect, test } from "vitest";
import type { CapturedLine } from "../../../../../runtime-images/protocol/telemetry/captured-line.ts";
import { jsonLine } from "../../../../../runtime-images/protocol/telemetry/json-line.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const TIME = "2026-01-31T12:00:00.000Z";
const ORIGIN = { function: "shop", revision: "r3", instance: "i-1" };
const plain: CapturedLine = { stream: "out", callId: "c-1", traceId: TRACE, spanId: SPAN, message: "hello" };
const own = { callId: "c-1", ...ORIGIN };

test.each<[string, Partial<CapturedLine>, object]>([
  ["text", {}, { time: TIME, level: "info", message: "hello", trace_id: TRACE, span_id: SPAN, ...own }],
  ["stderr", { stream: "err" }, { time: TIME, level: "error", message: "hello", trace_id: TRACE, span_id: SPAN, ...own }],
  ["no trace", { traceId: null, spanId: null }, { time: TIME, level: "info", message: "hello", ...own }],
  ["outside of invocations", { callId: null, traceId: null }, { time: TIME, level: "info", message: "hello", ...ORIGIN, callId: null }],
  [
    "an object of a structured logger",
    { message: '{"level":30,"time":5,"msg":"paid","trace_id":"own","user":7}' },
    { time: 5, level: 30, msg: "paid", trace_id: "own", user: 7, ...own },
  ],
  [
    "an object that claims to be of another call",
    { message: '{"function":"bank","instance":"x","revision":"r9","callId":"theirs"}' },
    { time: TIME, level: "info", trace_id: TRACE, span_id: SPAN, ...own },
  ],
  ["an object that is cut off", { message: '{"a":1' }, { time: TIME, level: "info", message: '{"a":1', trace_id: TRACE, span_id: SPAN, ...own }],
  ["something between braces", { message: "{a}" }, { time: TIME, level: "info", message: "{a}", trace_id: TRACE, span_id: SPAN, ...own }],
  ["a list", { message: "[1]" }, { time: TIME, level: "info", message: "[1]", trace_id: TRACE, span_id: SPAN, ...own }],
])("%s", (_what, change, expected) => {
  const line = jsonLine({ ...plain, ...change }, ORIGIN, TIME);
  expect(JSON.parse(line)).toEqual(expected);
  expect(line).not.toContain("\n");
});
