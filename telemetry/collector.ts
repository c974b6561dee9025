import type { ExportResult } from "@opentelemetry/core";
import { detectResources, envDetector, type Resource, resourceFromAttributes } from "@opentelemetry/resources";
import type { LossReason } from "./losses.ts";
import type { Signal } from "./signals.ts";

/** Where signals go, and who sends them. */
export interface Collector {
  /** The base URL, such as `http://collector:4318`: OTLP over HTTP. Null: by OpenTelemetry's own variables. */
  endpoint: string | null;
  /** The name of the process: `berth`, `berth-manager` or `berth-router`. */
  service: string;
  /** Berth's version. */
  version: string;
  /** Attributes that differ between processes of one service. */
  instance: string;
}

export interface CollectorListeners {
  dropped(count: number, reason: LossReason): void;
  /** Called once when the collector accepts nothing, and with null once it does again. */
  trouble(message: string | null): void;
}

export const EXPORT_TIMEOUT_MS = 10_000;

/** Options of the SDK's batches. */
export const BATCHES = { maxExportBatchSize: 512, scheduledDelayMillis: 500, exportTimeoutMillis: 2 * EXPORT_TIMEOUT_MS };

/** Where a signal goes; an empty object leaves it to the SDK's variables. */
export function urlOf(signal: Signal, { endpoint }: Collector): { url?: string } {
  if (endpoint === null) return {};
  const path = `/v1/${signal}`;
  return { url: endpoint.endsWith(path) ? endpoint : `${endpoint.replace(/\/$/, "")}${path}` };
}

/** Describes the process; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` change and add to it. */
export function resourceOf({ service, version, instance }: Collector): Resource {
  const own = resourceFromAttributes({ "service.name": service, "service.version": version, "service.instance.id": instance });
  return own.merge(detectResources({ detectors: [envDetector] }));
}

/** The part of an exporter that all signals have. */
interface Exporter<T> {
  export(items: T, done: (result: ExportResult) => void): void;
  forceFlush?(): Promise<void>;
  shutdown(): Promise<void>;
}

/**
 * Bounds what waits for the collector, and counts what is dropped. The SDK drops silently: its own counters go to a meter
 * that Berth does not have.
 */
export class CollectorQueue {
  readonly #max: number;
  readonly #listeners: CollectorListeners;
  #waiting = 0;
  #isAway = false;

  constructor(max: number, listeners: CollectorListeners) {
    this.#max = max;
    this.#listeners = listeners;
  }

  /** Whether `count` more may wait; otherwise they count as dropped. */
  admit(count: number): boolean {
    if (this.#waiting + count > this.#max) {
      this.#listeners.dropped(count, "queue");
      return false;
    }
    this.#waiting += count;
    return true;
  }

  /** The exporter, whose results are counted. `countOf`: how many of what was admitted an export takes. */
  counting<T>(exporter: Exporter<T>, countOf: (items: T) => number) {
    return {
      export: (items: T, done: (result: ExportResult) => void) =>
        exporter.export(items, (result) => {
          this.#exported(countOf(items), result);
          done(result);
        }),
      forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
      shutdown: () => exporter.shutdown(),
    };
  }

  #exported(count: number, { code, error }: ExportResult): void {
    this.#waiting -= count;
    const failed = code !== 0;
    if (failed) this.#listeners.dropped(count, "export");
    if (failed !== this.#isAway) this.#listeners.trouble(failed ? (error?.message ?? "it refuses them") : null);
    this.#isAway = failed;
  }
}
