import type { HrTime } from "@opentelemetry/api";
import { ValueType } from "@opentelemetry/api";
import { millisToHrTime } from "@opentelemetry/core";
import { emptyResource } from "@opentelemetry/resources";
import { AggregationTemporality, type CollectionResult, DataPointType, type MetricData, type MetricProducer } from "@opentelemetry/sdk-metrics";
import type { MetricObjectWithValues, MetricValue, Registry } from "prom-client";

type Metric = MetricObjectWithValues<MetricValue<string>>;
type Value = Metric["values"][number] & { metricName?: string };

/** From when to when the counts are. */
interface Times {
  startTime: HrTime;
  endTime: HrTime;
}

/** Reads prom-client's registries as metrics of OpenTelemetry, with the same names and labels. */
export class PrometheusProducer implements MetricProducer {
  readonly #registries: () => Promise<readonly Registry[]>;

  constructor(registries: () => Promise<readonly Registry[]>) {
    this.#registries = registries;
  }

  async collect(): Promise<CollectionResult> {
    const read = await Promise.all((await this.#registries()).map((registry) => registry.getMetricsAsJSON()));
    const times = { startTime: millisToHrTime(performance.timeOrigin), endTime: millisToHrTime(Date.now()) };
    const metrics = (read.flat() as Metric[]).filter(({ values }) => values.length > 0).map((metric) => metricOf(metric, times));
    return { resourceMetrics: { resource: emptyResource(), scopeMetrics: [{ scope: { name: "berth" }, metrics }] }, errors: [] };
  }
}

function metricOf({ name, help, type, values }: Metric, times: Times): MetricData {
  const about = {
    descriptor: { name, description: help, unit: name.includes("_seconds") ? "s" : "", valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  // The types of prom-client say that it is a number, which it is not.
  const kind = String(type);
  if (kind === "histogram") return { ...about, dataPointType: DataPointType.HISTOGRAM, dataPoints: histograms(name, values, times) };
  const dataPoints = values.map(({ labels, value }) => ({ ...times, attributes: { ...labels }, value }));
  if (kind === "counter") return { ...about, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints };
  return { ...about, dataPointType: DataPointType.GAUGE, dataPoints };
}

/** Joins the buckets, the sum and the count of each series. Prometheus' buckets contain those below them, OpenTelemetry's do not. */
function histograms(name: string, values: readonly Value[], times: Times) {
  const points = new Map<string, ReturnType<typeof emptyPoint>>();
  for (const { labels, value, metricName } of values) {
    const { le, ...attributes } = labels as Record<string, string | number>;
    const key = JSON.stringify(Object.entries(attributes).sort());
    const point = points.get(key) ?? emptyPoint(attributes, times);
    points.set(key, point);
    if (metricName === `${name}_sum`) point.value.sum = value;
    else if (metricName === `${name}_count`) point.value.count = value;
    else point.add(le as number | string, value);
  }
  return [...points.values()].map(({ add: _, ...point }) => point);
}

function emptyPoint(attributes: Record<string, string | number>, times: Times) {
  const buckets = { boundaries: [] as number[], counts: [] as number[] };
  let below = 0;
  const add = (le: number | string, upTo: number) => {
    if (le !== "+Inf") buckets.boundaries.push(Number(le));
    buckets.counts.push(upTo - below);
    below = upTo;
  };
  return { ...times, attributes, value: { buckets, sum: 0, count: 0 }, add };
}
