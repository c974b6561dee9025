import { expect, test } from "vitest";
import { signals } from "../../../../cli/options/arguments.ts";
import { metricsInterval, signalsOf } from "../../../../cli/options/telemetry-options.ts";

const ENDPOINT = { otlpEndpoint: "http://collector:4318" };
const otlp = (...names: string[]) => Object.fromEntries(names.map((name) => [`OTEL_${name}_EXPORTER`, "otlp"]));

test.each<[string, object, Record<string, string>, string[]]>([
  ["nothing is sent by default", {}, {}, []],
  ["an address for all programs of a cluster sends nothing", {}, { OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318" }, []],
  ["Berth's own sends traces", ENDPOINT, {}, ["traces"]],
  ["the option names signals", { ...ENDPOINT, otlp: ["metrics", "logs"] }, {}, ["metrics", "logs"]],
  ["the option is above the variables", { otlp: [] }, otlp("TRACES", "LOGS"), []],
  ["the variables name signals", {}, otlp("METRICS", "LOGS"), ["metrics", "logs"]],
  ["a variable is above the endpoint", ENDPOINT, { OTEL_TRACES_EXPORTER: "none", ...otlp("METRICS") }, ["metrics"]],
  ["an empty variable is as none", ENDPOINT, { OTEL_TRACES_EXPORTER: "" }, ["traces"]],
  ["the SDK is disabled", { ...ENDPOINT, otlp: ["logs"] }, { OTEL_SDK_DISABLED: "true" }, []],
])("%s", (_what, options, env, expected) => {
  expect([...signalsOf(options, env)]).toEqual(expected);
});

test("exporters that Berth does not have, and invalid numbers and names, are refused with what is valid", () => {
  expect(() => signalsOf({}, { OTEL_METRICS_EXPORTER: "prometheus" })).toThrow('OTEL_METRICS_EXPORTER is "prometheus"');
  for (const text of ["soon", "10", "1e12"]) expect(() => metricsInterval({ OTEL_METRIC_EXPORT_INTERVAL: text })).toThrow(JSON.stringify(text));
  expect([metricsInterval({}), metricsInterval({ OTEL_METRIC_EXPORT_INTERVAL: "5000" })]).toEqual([60_000, 5000]);
  expect(() => signals("traces,spans")).toThrow('"spans" is none of traces, metrics, logs');
  expect([signals("none"), signals("logs, metrics")]).toEqual([[], ["logs", "metrics"]]);
});
