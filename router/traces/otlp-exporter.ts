import { type Attributes, ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { AlwaysOnSampler, BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { BATCHES, type Collector, type CollectorListeners, CollectorQueue, EXPORT_TIMEOUT_MS, resourceOf, urlOf } from "../../telemetry/collector.ts";
import { newSpanId } from "./ids.ts";
import { attributesOf, phasesOf } from "./invocation-spans.ts";
import { beginTrace, type TracedInvocation, type Traces } from "./traces.ts";

/** Spans that wait for the collector; more are dropped and counted. */
const MAX_WAITING = 4096;

/** Sends the spans of sampled invocations to a collector, with OpenTelemetry's SDK. Nothing waits for the collector but `close`. */
export class OtlpTraces implements Traces {
  readonly #share: number;
  readonly #queue: CollectorQueue;
  readonly #provider: TracerProvider;
  readonly #tracer: ReturnType<TracerProvider["getTracer"]>;
  /** The id of the span that is created next. */
  #nextSpanId: string | null = null;
  #nextTraceId = "";

  /** `share` of the traces that begin here, 0 to 1, is sampled. */
  constructor(collector: Collector, share: number, listeners: CollectorListeners) {
    this.#share = share;
    this.#queue = new CollectorQueue(MAX_WAITING, listeners);
    const exporter = this.#queue.counting(new OTLPTraceExporter({ ...urlOf("traces", collector), timeoutMillis: EXPORT_TIMEOUT_MS }), (spans) => spans.length);
    const processor = new BatchSpanProcessor({ exporter, maxQueueSize: MAX_WAITING, ...BATCHES });
    this.#provider = new TracerProvider({
      resource: resourceOf(collector),
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
    const phases = phasesOf(invocation);
    if (!this.#queue.admit(phases.length + 1)) return;
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
    // Spans that the collector refuses are counted and reported by the export.
    await this.#provider.shutdown().catch(() => {});
  }

  #takeSpanId(): string {
    const id = this.#nextSpanId ?? newSpanId();
    this.#nextSpanId = null;
    return id;
  }
}

function epochMs(at: number): number {
  return performance.timeOrigin + at;
}
