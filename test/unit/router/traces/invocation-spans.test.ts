import { expect, test } from "vitest";
import { attributesOf, phasesOf } from "../../../../router/traces/invocation-spans.ts";
import { beginTrace, type TracedInvocation } from "../../../../router/traces/traces.ts";

const warm: TracedInvocation = {
  trace: beginTrace(undefined, 1),
  function: "greet",
  revision: "r2",
  callId: "c-1",
  method: "POST",
  status: 200,
  start: "warm",
  error: null,
  arrivedAt: 100,
  grantedAt: 100,
  claimMs: 0,
  parkedMs: 0,
  answeredAt: 108,
  endedAt: 110,
};
const phases = (change: Partial<TracedInvocation>) => phasesOf({ ...warm, ...change }).map(({ name, startAt, endAt }) => `${name} ${startAt}-${endAt}`);

test("the phases of an invocation follow each other from its arrival to its end", () => {
  expect(phases({})).toEqual(["run 100-108", "respond 108-110"]);
  expect(phases({ grantedAt: 104 })).toEqual(["queue 100-104", "run 104-108", "respond 108-110"]);
  expect(phases({ grantedAt: 104, claimMs: 3, parkedMs: 2 })).toEqual(["queue 100-101", "claim 101-104", "load 104-106", "run 106-108", "respond 108-110"]);
});

test("times from other clocks never make a phase longer than the invocation", () => {
  expect(phases({ grantedAt: 104, claimMs: 9, parkedMs: 9 })).toEqual(["claim 100-104", "load 104-108", "respond 108-110"]);
});

test("an invocation that got no slot, or no answer, ends in that phase", () => {
  expect(phases({ grantedAt: null, answeredAt: null })).toEqual(["queue 100-110"]);
  expect(phases({ answeredAt: null })).toEqual(["run 100-110"]);
});

test("attributes have the names of OpenTelemetry's conventions", () => {
  expect(attributesOf(warm)).toEqual({
    "faas.trigger": "http",
    "faas.coldstart": false,
    "faas.invocation_id": "c-1",
    "faas.version": "r2",
    "http.request.method": "POST",
    "http.response.status_code": 200,
    "berth.start": "warm",
  });
  expect(attributesOf({ ...warm, start: "prewarmed", revision: "", error: "QUEUE_FULL" })).toMatchObject({
    "faas.coldstart": true,
    "error.type": "QUEUE_FULL",
  });
  expect(attributesOf({ ...warm, revision: "" })).not.toHaveProperty("faas.version");
});
