import { type Attributes, ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { AlwaysOnSampler, BatchSpanProcessor, type ReadableSpan, type SpanExporter, TracerProvider } from "@opentelemetry/sdk-trace";
import { newSpanId } from "./ids.ts";
import { attributesOf, phasesOf } from "./invocation-spans.ts";
import { beginTrace, type TracedInvocation, type Traces } from "./traces.ts";

/** Spans that wait for the collector; more are dropped and counted. */
const MAX_WAITING = 4096;
const MAX_BATCH = 512;
const BATCH_MS = 500;
const EXPORT_TIMEOUT_MS = 10_000;

export interface TracesConfig {
  /** The collector's base URL, such as `http://collector:4318`: OTLP over HTTP. */
  endpoint: string;
  /** Share of the traces that begin here, 0 to 1, that is sampled. */
  share: number;
  /** Berth's version. */
  version: string;
  /** This router's id. */
  instance: string;
}

export interface TracesListeners {
  /** `reason`: the queue is full, or the collector did not take them. */
  dropped(spans: number, reason: "queue" | "export"): void;
  /** Called once when the collector takes no spans, and with null once it does again. */
  trouble(message: string | null): void;
}

/** Sends the spans of sampled invocations to a collector, with OpenTelemetry's SDK. Nothing waits for the collector but `close`. */
export class OtlpTraces implements Traces {
  readonly #share: number;
  readonly #listeners: TracesListeners;
  readonly #provider: TracerProvider;
  readonly #tracer: ReturnType<TracerProvider["getTracer"]>;
  /** The id of the span that is created next. */
  #nextSpanId: string | null = null;
  #nextTraceId = "";
  #waiting = 0;
  #failing = false;

  constructor({ endpoint, share, version, instance }: TracesConfig, listeners: TracesListeners) {
    this.#share = share;
    this.#listeners = listeners;
    const processor = new BatchSpanProcessor({
      exporter: this.#counting(new OTLPTraceExporter({ url: tracesUrl(endpoint), timeoutMillis: EXPORT_TIMEOUT_MS })),
      maxQueueSize: MAX_WAITING,
      maxExportBatchSize: MAX_BATCH,
      scheduledDelayMillis: BATCH_MS,
      exportTimeoutMillis: 2 * EXPORT_TIMEOUT_MS,
    });
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({ "service.name": "berth-router", "service.version": version, "service.instance.id": instance }),
      sampler: new AlwaysOnSampler(),
      spanProcessors: [processor],
      // The instance has been told the id of the invocation's span before the span exists.
      idGenerator: { generateTraceId: () => this.#nextTraceId, generateSpanId: () => this.#takeSpanId() },
    });
    this.#tracer = this.#provider.getTracer("berth");
  }

  begin(traceparent: string | undefined) {
    return beginTrace(traceparent, this.#share);
  }

  ended(invocation: TracedInvocation): void {
    const { context, parentSpanId } = invocation.trace;
    if (!context.isSampled) return;
    const phases = phasesOf(invocation);
    if (this.#waiting + phases.length + 1 > MAX_WAITING) return this.#listeners.dropped(phases.length + 1, "queue");
    this.#waiting += phases.length + 1;
    const { traceId, spanId } = context;
    this.#nextTraceId = traceId;
    this.#nextSpanId = spanId;
    const traceFlags = TraceFlags.SAMPLED;
    const parent = parentSpanId === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: parentSpanId, traceFlags, isRemote: true });
    const attributes: Attributes = attributesOf(invocation);
    const server = this.#tracer.startSpan(
      `function ${invocation.function}`,
      { kind: SpanKind.SERVER, startTime: epochMs(invocation.arrivedAt), attributes },
      parent,
    );
    if (invocation.status >= 500) server.setStatus({ code: SpanStatusCode.ERROR, ...(invocation.error !== null && { message: invocation.error }) });
    const inside = trace.setSpan(ROOT_CONTEXT, server);
    for (const { name, startAt, endAt } of phases) this.#tracer.startSpan(name, { startTime: epochMs(startAt) }, inside).end(epochMs(endAt));
    server.end(epochMs(invocation.endedAt));
  }

  /** Sends what waits, and gives up after the exporter's timeout. */
  async close(): Promise<void> {
    // What the collector does not take is counted and told where it is exported.
    await this.#provider.shutdown().catch(() => {});
  }

  #takeSpanId(): string {
    const id = this.#nextSpanId ?? newSpanId();
    this.#nextSpanId = null;
    return id;
  }

  /** Counts what the collector does not take. */
  #counting(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans: ReadableSpan[], done) =>
        exporter.export(spans, (result) => {
          this.#waiting -= spans.length;
          const failed = result.code !== 0;
          if (failed) this.#listeners.dropped(spans.length, "export");
          if (failed !== this.#failing) this.#listeners.trouble(failed ? (result.error?.message ?? "it refuses them") : null);
          this.#failing = failed;
          done(result);
        }),
      shutdown: () => exporter.shutdown(),
      forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    };
  }
}

function tracesUrl(endpoint: string): string {
  return /\/v1\/traces$/.test(endpoint) ? endpoint : `${endpoint.replace(/\/$/, "")}/v1/traces`;
}

function epochMs(at: number): number {
  return performance.timeOrigin + at;
}
