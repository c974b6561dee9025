import { Command } from "commander";
import { expect, test } from "vitest";
import { type LimitOptions, limitsOf, withLimitOptions } from "../../../../cli/commands/deploy/limits.ts";

/** The manifest that a command makes of its arguments, for a function that exists or for a new one. */
function given(args: readonly string[], isNew = false): Record<string, unknown> {
  let limits: Record<string, unknown> = {};
  withLimitOptions(new Command().exitOverride().configureOutput({ writeErr: () => {} }))
    .action((options: LimitOptions) => {
      limits = limitsOf(options, isNew);
    })
    .parse(args, { from: "user" });
  return limits;
}

test("limits are passed on as they are written", () => {
  const all = ["--memory", "256Mi", "--cpu", "500m", "--ephemeral-storage", "1Gi", "--pids", "50"];
  expect(given(all)).toEqual({ memory: "256Mi", cpu: "500m", ephemeralStorage: "1Gi", pids: 50 });
  expect(given([])).toEqual({});
});

test("none takes a limit away, and a new function has none to take away", () => {
  const all = ["--memory", "none", "--cpu", "none", "--ephemeral-storage", "none", "--pids", "none"];
  expect(given(all)).toEqual({ memory: null, cpu: null, ephemeralStorage: null, pids: null });
  expect(given(all, true)).toEqual({});
});

test("a number of processes that is none is refused", () => {
  expect(() => given(["--pids", "many"])).toThrow('"many" is not a whole number');
});
