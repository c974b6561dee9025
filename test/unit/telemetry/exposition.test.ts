import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { RouterMetrics } from "../../../router/metrics.ts";
import { expose } from "../../../telemetry/exposition.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";

test.each([
  [
    "Prometheus 2",
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    true,
  ],
  ["Prometheus 3", "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,*/*;q=0.2", true],
  ["curl", "*/*", false],
  ["nobody in particular", undefined, false],
  ["who prefers text", "text/plain, application/openmetrics-text;q=0.5", false],
  ["a browser", "text/html,application/xhtml+xml,*/*;q=0.8", false],
  ["who takes neither", "application/json", false],
])("%s gets the form that it prefers", async (_who, accept, isOpenMetrics) => {
  const { type, text } = await expose([new RouterMetrics().registry], accept);
  expect([type, text.endsWith("# EOF\n")]).toEqual(isOpenMetrics ? [OPEN_METRICS, true] : [Registry.PROMETHEUS_CONTENT_TYPE, false]);
});

test("latencies of sampled invocations have their traces as exemplars in OpenMetrics alone, and counters keep their names", async () => {
  const metrics = new RouterMetrics();
  metrics.done("f", 200, "warm", 0.2, 3, TRACE);
  metrics.done("f", 200, "warm", 0.2, 3);
  const { text } = await expose([metrics.registry], "application/openmetrics-text");
  expect(text).toMatch(new RegExp(`^berth_invocation_seconds_bucket\\{le="0.005",start="warm"\\} 2 # \\{trace_id="${TRACE}"\\} 0.003 [\\d.]+$`, "m"));
  expect(text).toMatch(new RegExp(`^berth_overhead_seconds_bucket\\{le="0.0005",start="warm"\\} 2 # \\{trace_id="${TRACE}"\\} 0.0002 [\\d.]+$`, "m"));
  expect(text).toContain("# TYPE berth_invocations counter");
  const { text: plain } = await expose([metrics.registry], "text/plain");
  expect(plain).not.toContain(TRACE);
  expect(plain).toContain("# TYPE berth_invocations_total counter");
  for (const form of [text, plain]) expect(form).toContain('berth_invocations_total{function="f",code="200",start="warm"} 2');
});
