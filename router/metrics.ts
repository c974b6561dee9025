import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { StartKind } from "../pool-manager/client/contract.ts";

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Every metric of the router. Labels name functions, codes and start kinds, never instances or paths. */
export class RouterMetrics {
  readonly registry = new Registry();
  readonly #invocations = new Counter({
    name: "berth_invocations_total",
    help: "Invocations by status and start",
    labelNames: ["function", "code", "start"],
    registers: [this.registry],
  });
  readonly #errors = new Counter({
    name: "berth_invocation_errors_total",
    help: "Invocations that the platform answered with an error",
    labelNames: ["function", "code"],
    registers: [this.registry],
  });
  readonly #starts = new Counter({
    name: "berth_starts_total",
    help: "Invocations by how their instance was started",
    labelNames: ["kind"],
    registers: [this.registry],
  });
  readonly #overhead = this.#latency("berth_overhead_seconds", "Time that the platform adds before the function runs");
  readonly #duration = this.#latency("berth_invocation_seconds", "Time from a request's arrival to the end of its response");
  readonly #queue = new Gauge({
    name: "berth_queue_depth",
    help: "Invocations that wait for an instance",
    labelNames: ["function"],
    registers: [this.registry],
  });
  readonly #retries = new Counter({ name: "berth_retries_total", help: "Attempts on a further instance", registers: [this.registry] });
  readonly #forwards = new Counter({
    name: "berth_forwarded_total",
    help: "Invocations passed on to the router that owns the function's slots",
    registers: [this.registry],
  });
  readonly #refusedConnections = new Counter({
    name: "berth_connections_refused_total",
    help: "Connections of clients closed at once, because the process may open no more files for them",
    registers: [this.registry],
  });
  readonly #droppedSpans = new Counter({
    name: "berth_trace_spans_dropped_total",
    help: "Spans that were not exported: the queue was full, or the collector did not take them",
    labelNames: ["reason"],
    registers: [this.registry],
  });
  /** Resolved label sets of `berth_invocations_total`, by function, then by status and start. */
  readonly #children = new Map<string, Map<string, Counter.Internal>>();
  /** Error codes that have a series, by function. */
  readonly #codes = new Map<string, Set<string>>();
  readonly #kinds = {
    warm: this.#kind("warm"),
    prewarmed: this.#kind("prewarmed"),
    cold: this.#kind("cold"),
  };

  /** `traceId`: of a sampled invocation, which becomes an exemplar; null: it has none that can be found. */
  done(fn: string, status: number, start: StartKind, overheadMs: number, totalMs: number, traceId: string | null = null): void {
    this.#child(fn, status, start).inc();
    const kind = this.#kinds[start];
    kind.starts.inc();
    if (traceId === null) {
      kind.overhead.observe(overheadMs / 1000);
      kind.duration.observe(totalMs / 1000);
      return;
    }
    const example = { labels: { start }, exemplarLabels: { trace_id: traceId } };
    this.#overhead.observe({ ...example, value: overheadMs / 1000 });
    this.#duration.observe({ ...example, value: totalMs / 1000 });
  }

  #latency(name: string, help: string): Histogram {
    // prom-client takes exemplars only in registries that print OpenMetrics always; this one is printed in either form.
    const histogram = new Histogram({ name, help, labelNames: ["start"], buckets: SECONDS, enableExemplars: true, registers: [] });
    this.registry.registerMetric(histogram);
    return histogram;
  }

  #child(fn: string, status: number, start: StartKind): Counter.Internal {
    const own = this.#children.get(fn) ?? new Map<string, Counter.Internal>();
    const key = `${status} ${start}`;
    const known = own.get(key);
    if (known) return known;
    const child = this.#invocations.labels(fn, String(status), start);
    this.#children.set(fn, own.set(key, child));
    return child;
  }

  error(fn: string, code: string): void {
    this.#codes.set(fn, (this.#codes.get(fn) ?? new Set()).add(code));
    this.#errors.inc({ function: fn, code });
  }

  retry(): void {
    this.#retries.inc();
  }

  spansDropped(spans: number, reason: "queue" | "export"): void {
    this.#droppedSpans.inc({ reason }, spans);
  }

  connectionRefused(): void {
    this.#refusedConnections.inc();
  }

  forwarded(): void {
    this.#forwards.inc();
  }

  queue(fn: string, depth: number): void {
    this.#queue.set({ function: fn }, depth);
  }

  /** Adds the gauge of the pool manager's silence; `read` returns milliseconds, and is called with each scrape. */
  unheard(read: () => number): void {
    new Gauge({
      name: "berth_unheard_seconds",
      help: "Time since the pool manager was last heard; 0 while its changes are heard as they happen",
      registers: [this.registry],
      collect() {
        this.set(read() / 1000);
      },
    });
  }

  /** Removes the series of a deleted function. */
  forget(fn: string): void {
    for (const key of this.#children.get(fn)?.keys() ?? []) this.#invocations.remove(fn, ...key.split(" "));
    this.#children.delete(fn);
    for (const code of this.#codes.get(fn) ?? []) this.#errors.remove(fn, code);
    this.#codes.delete(fn);
    this.#queue.remove(fn);
  }

  #kind(start: StartKind) {
    return {
      starts: this.#starts.labels(start),
      overhead: this.#overhead.labels(start),
      duration: this.#duration.labels(start),
    };
  }
}
