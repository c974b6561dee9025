import { Command } from "commander";
import { afterEach, expect, test, vi } from "vitest";
import type { CliError } from "../../../../cli/errors.ts";
import { type PlatformOptions, platformConfig, withPlatformOptions } from "../../../../cli/options/platform-options.ts";
import type { PlatformConfig } from "../../../../pool-manager/platform/create.ts";

const MIB = 2 ** 20;
const KRUISE = ["--platform", "kruise", "--registry", "127.0.0.1:5000"];

afterEach(() => vi.unstubAllEnvs());

/** The platform that a command makes of its arguments, or the code and the message of its refusal. */
function given(...args: readonly string[]): PlatformConfig | string {
  let config: PlatformConfig | null = null;
  const command = withPlatformOptions(new Command().exitOverride()).action((options: PlatformOptions) => {
    config = platformConfig(options, ".berth");
  });
  try {
    command.parse(args, { from: "user" });
  } catch (error) {
    return `${(error as CliError).code} ${(error as CliError).message}`;
  }
  return config as unknown as PlatformConfig;
}

test("size classes are in bytes, the smallest first, and there are none without the option", () => {
  expect(given(...KRUISE, "--size-classes", "2Gi, 512Mi")).toMatchObject({ sizeClasses: [512 * MIB, 2048 * MIB] });
  expect(given(...KRUISE)).toMatchObject({ sizeClasses: [] });
  vi.stubEnv("BERTH_SIZE_CLASSES", "1Gi");
  expect(given(...KRUISE)).toMatchObject({ sizeClasses: [1024 * MIB] });
});

test.each<[string, string[], RegExp]>([
  ["that are none", [...KRUISE, "--size-classes", "large"], /"large" is not an amount of memory/],
  ["that the runtime's pool holds", [...KRUISE, "--size-classes", "1Gi", "--instance-memory", "2Gi"], /1Gi is no more than the 1984Mi/],
  ["on this machine", ["--size-classes", "1Gi"], /instances on this machine have no size classes/],
])("size classes %s are refused", (_what, args, message) => {
  expect(given(...args)).toMatch(/^SIZE_CLASSES_INVALID /);
  expect(given(...args)).toMatch(message);
});
