import { randomBytes } from "node:crypto";
import type { Registry } from "prom-client";
import type { FunctionLines } from "../pool-manager/config.ts";
import type { Collector, CollectorListeners } from "../telemetry/collector.ts";
import { FunctionLog, openStdout } from "../telemetry/function-log.ts";
import { Losses } from "../telemetry/losses.ts";
import type { OtlpLogs } from "../telemetry/otlp-logs.ts";
import type { Signal } from "../telemetry/signals.ts";
import { troubleLine } from "../telemetry/trouble.ts";
import { metricsInterval, signalsOf, type TelemetryOptions } from "./options/telemetry-options.ts";
import { packageVersion } from "./package-root.ts";

/** How long the end waits for the collector to accept what is left. */
const LAST_MS = 2000;

export interface ProcessTelemetry extends TelemetryOptions {
  /** Whether functions' output is written to standard output too. */
  functionLog?: boolean;
}

interface Closing {
  close(): Promise<void>;
}

/** Metrics, logs and functions' output, which this process sends to collectors or prints. Traces are the router's. */
export class Telemetry {
  readonly #losses = new Losses();
  readonly #functionLog: FunctionLog | null;
  readonly #signals: ReadonlySet<Signal>;
  readonly #collector: Collector;
  readonly #say: (line: string) => void;
  #logs: OtlpLogs | null = null;
  #metrics: Closing | null = null;

  private constructor(service: string, options: ProcessTelemetry, say: (line: string) => void) {
    this.#signals = signalsOf(options);
    this.#collector = { endpoint: options.otlpEndpoint ?? null, service, version: packageVersion(), instance: randomBytes(4).toString("hex") };
    this.#functionLog = options.functionLog ? new FunctionLog(openStdout(), () => this.#losses.add("function_log", 1, "queue")) : null;
    this.#say = say;
  }

  /** `say` receives a line when the collector is away, and when it accepts again. OpenTelemetry is loaded only if it is used: that takes long. */
  static async open(service: string, options: ProcessTelemetry, say: (line: string) => void): Promise<Telemetry> {
    const telemetry = new Telemetry(service, options, say);
    if (!telemetry.#signals.has("logs")) return telemetry;
    const { OtlpLogs } = await import("../telemetry/otlp-logs.ts");
    telemetry.#logs = new OtlpLogs(telemetry.#collector, telemetry.#listeners("logs"));
    return telemetry;
  }

  /** Counts of lost lines and records, for /metrics. */
  get registry(): Registry {
    return this.#losses.registry;
  }

  get functionLines(): FunctionLines {
    return {
      registry: this.registry,
      line: (fn, entry) => {
        this.#functionLog?.write(fn, entry);
        this.#logs?.line(fn, entry);
      },
    };
  }

  /** Receives the lines of the process's own log, as pino writes them; null: nobody wants them. */
  get ownLines(): { write(line: string): void } | null {
    const logs = this.#logs;
    return logs && { write: (line) => logs.own(line) };
  }

  /** Sends the metrics from now on, if they are chosen. */
  async follow(registries: () => Promise<readonly Registry[]>): Promise<void> {
    if (!this.#signals.has("metrics")) return;
    const { OtlpMetrics } = await import("../telemetry/otlp-metrics.ts");
    this.#metrics = new OtlpMetrics(this.#collector, metricsInterval(), registries, this.#listeners("metrics"));
  }

  /** Sends what is left, and gives up after two seconds. */
  async close(): Promise<void> {
    const parts = [this.#functionLog, this.#metrics, this.#logs].flatMap((part) => part?.close() ?? []);
    await Promise.race([Promise.all(parts), new Promise((resolve) => setTimeout(resolve, LAST_MS).unref())]);
  }

  #listeners(stream: "logs" | "metrics"): CollectorListeners {
    return {
      dropped: (count, reason) => this.#losses.add(stream, count, reason),
      trouble: (message) => this.#say(troubleLine(stream, this.#collector.endpoint, message)),
    };
  }
}
