import { type Command, Option } from "commander";
import { SIGNALS, type Signal } from "../../telemetry/signals.ts";
import { CliError, EXIT } from "../errors.ts";
import { httpAddress, signals } from "./arguments.ts";

/** The telemetry that a process sends to a collector. */
export interface TelemetryOptions {
  /** Where it goes; undefined: by OpenTelemetry's variables. */
  otlpEndpoint?: string;
  /** The signals that go there; undefined: those of OpenTelemetry's variables, and traces if there is an endpoint. */
  otlp?: Signal[];
}

/** The default of OpenTelemetry's specification, as is that of the exporter's address. */
const INTERVAL_MS = 60_000;

export function withTelemetryOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--otlp-endpoint <url>", "collector that receives traces and what --otlp names, by OTLP over HTTP, such as http://collector:4318")
        .env("BERTH_OTLP_ENDPOINT")
        .argParser(httpAddress),
    )
    .addOption(
      new Option("--otlp <signals>", "what the collector receives: traces, metrics, logs, separated by commas, or none; by default what OTEL_*_EXPORTER say")
        .env("BERTH_OTLP")
        .argParser(signals),
    );
}

/** The signals that are sent. Nothing is by default, unlike in OpenTelemetry's specification. Throws `OTEL_SETTING`. */
export function signalsOf({ otlp, otlpEndpoint }: TelemetryOptions, env: NodeJS.ProcessEnv = process.env): ReadonlySet<Signal> {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === "true") return new Set();
  if (otlp) return new Set(otlp);
  return new Set(SIGNALS.filter((signal) => isChosen(signal, otlpEndpoint !== undefined, env)));
}

function isChosen(signal: Signal, hasEndpoint: boolean, env: NodeJS.ProcessEnv): boolean {
  const variable = `OTEL_${signal.toUpperCase()}_EXPORTER`;
  const value = env[variable]?.trim() ?? "";
  if (value === "") return signal === "traces" && hasEndpoint;
  if (value === "otlp" || value === "none") return value === "otlp";
  throw new CliError("OTEL_SETTING", `${variable} is ${JSON.stringify(value)}`, `set it to otlp or none, or name signals with --otlp`, EXIT.usage);
}

/** How often metrics are sent, in milliseconds. Throws `OTEL_SETTING`. */
export function metricsInterval(env: NodeJS.ProcessEnv = process.env): number {
  const text = env.OTEL_METRIC_EXPORT_INTERVAL?.trim() ?? "";
  const ms = text === "" ? INTERVAL_MS : Number(text);
  if (Number.isInteger(ms) && ms >= 1000 && ms < 2 ** 31) return ms;
  throw new CliError("OTEL_SETTING", `OTEL_METRIC_EXPORT_INTERVAL is ${JSON.stringify(text)}`, "set it to a number of milliseconds from 1000", EXIT.usage);
}
