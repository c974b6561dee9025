import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { AggregationTemporality, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import type { Registry } from "prom-client";
import { type Collector, type CollectorListeners, CollectorQueue, EXPORT_TIMEOUT_MS, resourceOf, urlOf } from "./collector.ts";
import { PrometheusProducer } from "./prometheus-producer.ts";

/** Sends the metrics of prom-client's registries to a collector at an interval, with OpenTelemetry's SDK. */
export class OtlpMetrics {
  readonly #provider: MeterProvider;

  /** A failed export is counted as one; the next one has all counts again. */
  constructor(collector: Collector, intervalMs: number, registries: () => Promise<readonly Registry[]>, listeners: CollectorListeners) {
    const timeoutMs = Math.min(EXPORT_TIMEOUT_MS, intervalMs);
    const exporter = new OTLPMetricExporter({ ...urlOf("metrics", collector), timeoutMillis: timeoutMs });
    const counted = new CollectorQueue(Number.POSITIVE_INFINITY, listeners).counting(exporter, () => 1);
    const reader = new PeriodicExportingMetricReader({
      exporter: { ...counted, selectAggregationTemporality: () => AggregationTemporality.CUMULATIVE },
      exportIntervalMillis: intervalMs,
      exportTimeoutMillis: timeoutMs,
      metricProducers: [new PrometheusProducer(registries)],
    });
    this.#provider = new MeterProvider({ resource: resourceOf(collector), readers: [reader] });
  }

  /** Sends the last counts. Resolves even if the collector does not accept them. */
  async close(): Promise<void> {
    await this.#provider.shutdown().catch(() => {});
  }
}
