import { createServer, type Server } from "node:http";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Collector } from "../../../telemetry/collector.ts";
import { OtlpLogs } from "../../../telemetry/otlp-logs.ts";
import { OtlpMetrics } from "../../../telemetry/otlp-metrics.ts";
import { listen } from "../../helpers/subjects/routed.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

type Attributes = { key: string; value: object }[];
interface LogRecord {
  timeUnixNano: string;
  severityText?: string;
  body: { stringValue: string };
  attributes: Attributes;
  traceId?: string;
}
interface Point {
  attributes: Attributes;
  sum: number;
  count: number;
  explicitBounds: number[];
  bucketCounts: number[];
}
type Kind = "sum" | "gauge" | "histogram";
type Metric = { name: string } & Record<Kind, { dataPoints: Point[] }>;
/** The parts of OTLP's JSON that are checked here. */
interface Export {
  resourceLogs: { resource: { attributes: Attributes }; scopeLogs: { scope: { name: string }; logRecords: LogRecord[] }[] }[];
  resourceMetrics: { scopeMetrics: { metrics: Metric[] }[] }[];
}

/** The accepted exports. */
let received: Export[];
/** The collector's answer; null: it never answers. */
let status: number | null;
let server: Server;
let collector: Collector;
let dropped: [number, string][];
let troubles: (string | null)[];
const listeners = {
  dropped: (count: number, reason: string) => void dropped.push([count, reason]),
  trouble: (message: string | null) => void troubles.push(message),
};

beforeEach(async () => {
  [received, status, dropped, troubles] = [[], 200, [], []];
  server = createServer(async (req, res) => {
    let body = "";
    for await (const part of req) body += part;
    const isKnown = req.url === "/v1/logs" || req.url === "/v1/metrics";
    if (status === 200 && isKnown) received.push(JSON.parse(body));
    if (status !== null) res.writeHead(status, { "content-type": "application/json" }).end("{}");
  });
  collector = { endpoint: `http://127.0.0.1:${await listen(server)}`, service: "berth", version: "1.2.3", instance: "i" };
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  delete process.env.OTEL_RESOURCE_ATTRIBUTES;
});

const line = (message: string, change: object = {}) =>
  ({ time: "2026-01-31T12:00:00.500Z", instance: "i-1", stream: "out", callId: "c-1", traceId: TRACE, spanId: SPAN, message, ...change }) as const;
const valuesOf = (attributes: Attributes = []) => Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
const scopes = () => received.flatMap(({ resourceLogs }) => resourceLogs.flatMap(({ scopeLogs }) => scopeLogs));
const records = (name: string) => scopes().flatMap(({ scope, logRecords }) => (scope.name === name ? logRecords : []));
/** The metrics of the latest export, by name. */
const metricsOf = (latest: Export | undefined) =>
  new Map(latest?.resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics)).map((metric) => [metric.name, metric]));

test("lines of functions have the ids of their invocation, and Berth's own have level and fields", async () => {
  process.env.OTEL_RESOURCE_ATTRIBUTES = "deployment.environment.name=test";
  const logs = new OtlpLogs(collector, listeners);
  logs.line("shop", line("paid"));
  logs.line("shop", line("starts", { stream: "err", callId: null, traceId: null, spanId: null }));
  logs.own(JSON.stringify({ level: 40, time: 1000, type: "instance.crashed", pool: "node", reason: { code: 1 }, gone: null }));
  logs.own(JSON.stringify({ level: 30, time: 1000, msg: "works again" }));
  await logs.close();
  const [first, second] = records("berth.functions");
  expect(first).toMatchObject({ traceId: TRACE, spanId: SPAN, body: { stringValue: "paid" }, timeUnixNano: "1769860800500000000" });
  expect(valuesOf(first?.attributes)).toEqual({ "faas.name": "shop", "faas.instance": "i-1", "faas.invocation_id": "c-1", "log.iostream": "stdout" });
  expect(second?.traceId ?? "").toBe("");
  expect(valuesOf(second?.attributes)).toEqual({ "faas.name": "shop", "faas.instance": "i-1", "log.iostream": "stderr" });
  const [event, message] = records("berth");
  expect(event).toMatchObject({ severityNumber: 13, severityText: "WARN", body: { stringValue: "instance.crashed" } });
  expect(valuesOf(event?.attributes)).toEqual({ type: "instance.crashed", pool: "node", reason: '{"code":1}' });
  expect(message).toMatchObject({ severityText: "INFO", body: { stringValue: "works again" } });
  expect(valuesOf(received[0]?.resourceLogs[0]?.resource.attributes)).toMatchObject({
    "service.name": "berth",
    "service.version": "1.2.3",
    "deployment.environment.name": "test",
  });
  expect([dropped, troubles]).toEqual([[], []]);
});

test("a collector that never answers holds 4,096 records at most; what comes beyond is counted at once", async () => {
  status = null;
  const logs = new OtlpLogs(collector, listeners);
  const from = performance.now();
  for (let i = 0; i < 5000; i++) logs.line("shop", line("x"));
  expect(performance.now() - from).toBeLessThan(2000);
  expect(dropped).toEqual(Array.from({ length: 5000 - 4096 }, () => [1, "queue"]));
  server.closeAllConnections();
});

test("a collector that refuses is told of once, and once more when it accepts again; all records are accounted for", async () => {
  status = 400;
  const logs = new OtlpLogs(collector, listeners);
  for (let i = 0; i < 3; i++) {
    logs.line("shop", line("lost"));
    await vi.waitFor(() => expect(dropped).toHaveLength(i + 1), 5000);
  }
  status = 200;
  logs.line("shop", line("kept"));
  await logs.close();
  expect(dropped).toEqual([1, 2, 3].map(() => [1, "export"]));
  expect(troubles).toEqual([expect.any(String), null]);
  expect(records("berth.functions").map(({ body }) => body.stringValue)).toEqual(["kept"]);
});

test("metrics are those of prom-client, by the same names and labels", async () => {
  const registry = new Registry();
  const registers = [registry];
  new Counter({ name: "berth_a_total", help: "A", labelNames: ["code"], registers }).inc({ code: "200" }, 3);
  new Gauge({ name: "berth_b", help: "B", registers }).set(1.5);
  const histogram = new Histogram({ name: "berth_c_seconds", help: "C", labelNames: ["start"], buckets: [0.1, 1], registers });
  for (const seconds of [0.05, 0.07, 0.5, 7]) histogram.observe({ start: "warm" }, seconds);
  histogram.observe({ start: "cold" }, 0.2);
  const metrics = new OtlpMetrics(collector, 60_000, async () => [registry], listeners);
  await metrics.close();
  const found = metricsOf(received[0]);
  expect(found.get("berth_a_total")?.sum).toMatchObject({ isMonotonic: true, aggregationTemporality: 2, dataPoints: [{ asDouble: 3 }] });
  expect(valuesOf(found.get("berth_a_total")?.sum.dataPoints[0]?.attributes)).toEqual({ code: "200" });
  expect(found.get("berth_b")?.gauge.dataPoints).toMatchObject([{ asDouble: 1.5 }]);
  const points = found.get("berth_c_seconds")?.histogram.dataPoints ?? [];
  expect(points.map(({ attributes, explicitBounds, bucketCounts, count }) => [valuesOf(attributes), explicitBounds, bucketCounts, count])).toEqual([
    [{ start: "warm" }, [0.1, 1], [2, 1, 1], 4],
    [{ start: "cold" }, [0.1, 1], [0, 1, 0], 1],
  ]);
  expect(points[0]?.sum).toBeCloseTo(7.62);
});

test("an export of metrics that fails is counted, and the next one has everything", async () => {
  status = 400;
  const registry = new Registry();
  const counter = new Counter({ name: "berth_a_total", help: "A", registers: [registry] });
  counter.inc(2);
  const metrics = new OtlpMetrics(collector, 1000, async () => [registry], listeners);
  await vi.waitFor(() => expect(dropped.length).toBeGreaterThan(0), 5000);
  status = 200;
  counter.inc();
  await metrics.close();
  expect(troubles).toEqual([expect.any(String), null]);
  expect(metricsOf(received.at(-1)).get("berth_a_total")?.sum.dataPoints).toMatchObject([{ asDouble: 3 }]);
});
