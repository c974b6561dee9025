import { type Attributes, type Context, ROOT_CONTEXT, TraceFlags, trace } from "@opentelemetry/api";
import { type Logger, SeverityNumber } from "@opentelemetry/api-logs";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { BATCHES, type Collector, type CollectorListeners, CollectorQueue, EXPORT_TIMEOUT_MS, resourceOf, urlOf } from "./collector.ts";
import type { FunctionLine } from "./function-log.ts";

/** Records that wait for the collector; more are dropped and counted. */
const MAX_WAITING = 4096;

/** By the hundreds of pino's levels. */
const SEVERITIES = [
  { least: 60, severityNumber: SeverityNumber.FATAL, severityText: "FATAL" },
  { least: 50, severityNumber: SeverityNumber.ERROR, severityText: "ERROR" },
  { least: 40, severityNumber: SeverityNumber.WARN, severityText: "WARN" },
  { least: 30, severityNumber: SeverityNumber.INFO, severityText: "INFO" },
  { least: 0, severityNumber: SeverityNumber.DEBUG, severityText: "DEBUG" },
] as const;

interface LogRecord {
  timestamp: number;
  severityNumber?: SeverityNumber;
  severityText?: string;
  body: string;
  attributes: Attributes;
  context?: Context;
}

/** Sends functions' output and Berth's own log to a collector, with OpenTelemetry's SDK. Nothing waits for the collector but `close`. */
export class OtlpLogs {
  readonly #queue: CollectorQueue;
  readonly #provider: LoggerProvider;
  readonly #functions: Logger;
  readonly #own: Logger;

  constructor(collector: Collector, listeners: CollectorListeners) {
    this.#queue = new CollectorQueue(MAX_WAITING, listeners);
    const exporter = this.#queue.counting(new OTLPLogExporter({ ...urlOf("logs", collector), timeoutMillis: EXPORT_TIMEOUT_MS }), (records) => records.length);
    const processor = new BatchLogRecordProcessor({ exporter, maxQueueSize: MAX_WAITING, ...BATCHES });
    this.#provider = new LoggerProvider({ resource: resourceOf(collector), processors: [processor] });
    this.#functions = this.#provider.getLogger("berth.functions");
    this.#own = this.#provider.getLogger("berth");
  }

  /** Sends a line of a function. Its severity is not known: many programs write all of their log to standard error. */
  line(fn: string, { time, instance, stream, callId, traceId, spanId, message }: FunctionLine): void {
    const attributes = {
      "faas.name": fn,
      "faas.instance": instance,
      "log.iostream": stream === "err" ? "stderr" : "stdout",
      ...(callId !== null && { "faas.invocation_id": callId }),
    };
    const context = traceId === null || spanId === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.NONE });
    this.#emit(this.#functions, { timestamp: Date.parse(time), body: message, attributes, context });
  }

  /** Sends a line of Berth's own log, as pino writes it. */
  own(line: string): void {
    const { level, time, msg, ...rest } = JSON.parse(line) as { level: number; time: number; msg?: string; type?: string };
    const { least: _, ...severity } = SEVERITIES.find(({ least }) => level >= least) ?? SEVERITIES[4];
    this.#emit(this.#own, { timestamp: time, ...severity, body: msg ?? rest.type ?? "", attributes: flat(rest) });
  }

  /** Sends what waits. Resolves even if the collector does not accept it, which is counted. */
  async close(): Promise<void> {
    await this.#provider.shutdown().catch(() => {});
  }

  #emit(logger: Logger, record: LogRecord): void {
    if (this.#queue.admit(1)) logger.emit(record);
  }
}

/** Fields of a line as attributes; objects are JSON. */
function flat(fields: object): Attributes {
  const text = (value: unknown) => (typeof value === "object" && value !== null ? JSON.stringify(value) : (value as string | number | boolean));
  return Object.fromEntries(Object.entries(fields).flatMap(([name, value]) => (value === null || value === undefined ? [] : [[name, text(value)]])));
}
