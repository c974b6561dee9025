import { Counter, Registry } from "prom-client";

/** Outputs of this process whose losses are counted. The router counts those of traces. */
export type Stream = "function_log" | "logs" | "metrics";

/** `queue`: its reader or collector was too slow; `export`: the collector did not accept it. */
export type LossReason = "queue" | "export";

/** Counts what nobody has received, in a registry of its own. */
export class Losses {
  readonly registry = new Registry();
  readonly #dropped = new Counter({
    name: "berth_telemetry_dropped_total",
    help: "Lines, log records and exports of metrics that were dropped: the queue was full, or the collector did not accept them",
    labelNames: ["stream", "reason"],
    registers: [this.registry],
  });

  add(stream: Stream, count: number, reason: LossReason): void {
    this.#dropped.inc({ stream, reason }, count);
  }
}
