import { Command } from "commander";
import { expect, test } from "vitest";
import { scalingOf, withScalingOptions } from "../../../../cli/commands/deploy/scaling.ts";

/** The fields that a command line gives. */
function fieldsOf(...args: string[]): Record<string, unknown> {
  const command = withScalingOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  command.parse(args, { from: "user" });
  return scalingOf(command.opts());
}

test.each<[string[], object]>([
  [[], {}],
  [["--min", "1", "--idle-timeout", "30s"], { minScale: 1, idleTimeout: "30s" }],
  [["--warm", "Mon 08:00-19:00 UTC=3", "--warm", "Sun 10:00-12:00 UTC=1"], { warm: ["Mon 08:00-19:00 UTC=3", "Sun 10:00-12:00 UTC=1"] }],
  [["--warm", "none"], { warm: [] }],
  [["--scaling-window", "2m"], { scaling: { window: "2m" } }],
  [["--scaling-window", "off"], { scaling: null }],
  [["--scaling-target", "50", "--scale-down-delay", "30s"], { scaling: { target: 50, scaleDownDelay: "30s" } }],
  [["--activation-scale", "3", "--max-scale-up-rate", "1.5"], { scaling: { activationScale: 3, maxScaleUpRate: 1.5 } }],
])("%s", (args, fields) => {
  expect(fieldsOf(...args)).toEqual(fields);
});

test.each([[["--warm", "none", "--warm", "Mon 08:00-19:00 UTC=3"]], [["--warm", "Mon 08:00-19:00 UTC=3", "--warm", "none"]]])(
  "schedules that are taken away and given at once are refused: %s",
  (args) => {
    expect(() => fieldsOf(...args)).toThrow('"none" takes all schedules away, and is given beside others.');
  },
);

test("a factor that is no number is refused", () => {
  expect(() => fieldsOf("--max-scale-up-rate", "fast")).toThrow('"fast" is not a number.');
});

test("a window that is off takes no other setting of windows", () => {
  expect(() => fieldsOf("--scaling-window", "off", "--scaling-target", "50")).toThrow(
    expect.objectContaining({ code: "SCALING_CONTRADICTORY", message: "--scaling-window off has no target" }),
  );
});
