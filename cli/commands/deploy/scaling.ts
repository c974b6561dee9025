import { type Command, InvalidArgumentError } from "commander";
import { CliError, EXIT } from "../../errors.ts";
import { withWarmOption } from "../sizing/warm-option.ts";
import { whole } from "../whole.ts";

/** How a function scales, as options give it. */
export interface ScalingOptions {
  min?: number;
  max?: number;
  warm?: string[];
  idleTimeout?: string;
  queueDepth?: number;
  queueTimeout?: string;
  /** "off": by the present demand. */
  scalingWindow?: string;
  scalingTarget?: number;
  scaleDownDelay?: string;
  activationScale?: number;
  maxScaleUpRate?: number;
}

export function withScalingOptions(command: Command): Command {
  return withWarmOption(command, 3)
    .option("--min <n>", "instances kept warm (minScale)", whole)
    .option("--max <n>", "maximum number of instances (maxScale)", whole)
    .option("--idle-timeout <duration>", "how long an idle instance is kept; auto: as the recorded idle times say")
    .option("--queue-depth <n>", "invocations that may wait", whole)
    .option("--queue-timeout <duration>", "how long an invocation may wait")
    .option("--scaling-window <duration>", "scale by the average concurrency over this time, such as 60s; off: by the present demand")
    .option("--scaling-target <percent>", "percent of its concurrency that an instance has on average (scaling by a window)", whole)
    .option("--scale-down-delay <duration>", "how long fewer instances must be wanted before any is removed (scaling by a window)")
    .option("--activation-scale <n>", "least instances while any is wanted (scaling by a window)", whole)
    .option("--max-scale-up-rate <factor>", "factor by which serving instances may grow in number at a time (scaling by a window)", factor);
}

/** The fields of a manifest or of a change. Throws `SCALING_CONTRADICTORY`. */
export function scalingOf(options: ScalingOptions): Record<string, unknown> {
  const { min: minScale, max: maxScale, warm, idleTimeout, queueDepth, queueTimeout } = options;
  return defined({ minScale, maxScale, warm, idleTimeout, queueDepth, queueTimeout, scaling: windowScalingOf(options) });
}

function windowScalingOf({ scalingWindow, scalingTarget: target, scaleDownDelay, activationScale, maxScaleUpRate }: ScalingOptions): object | null | undefined {
  const given = defined({ target, scaleDownDelay, activationScale, maxScaleUpRate });
  const isGiven = Object.keys(given).length > 0;
  if (scalingWindow === "off" && isGiven)
    throw new CliError("SCALING_CONTRADICTORY", `--scaling-window off has no ${Object.keys(given).join(", ")}`, "leave one of them out", EXIT.usage);
  if (scalingWindow === "off") return null;
  return isGiven || scalingWindow !== undefined ? defined({ window: scalingWindow, ...given }) : undefined;
}

function defined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function factor(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError(`"${text}" is not a number.`);
  return Number(text);
}
