import { Command, type Option } from "commander";
import { expect, test } from "vitest";
import { benchCommands } from "../../../../cli/commands/bench/bench.ts";
import { devCommands } from "../../../../cli/commands/dev.ts";
import { functionCommands } from "../../../../cli/commands/functions.ts";
import { invokeCommands } from "../../../../cli/commands/invoke.ts";
import { poolCommands } from "../../../../cli/commands/pools.ts";
import { rolloutCommands } from "../../../../cli/commands/rollout.ts";
import { statusCommands } from "../../../../cli/commands/status.ts";
import { trafficCommands } from "../../../../cli/commands/traffic.ts";

const GROUPS = [benchCommands, devCommands, functionCommands, invokeCommands, poolCommands, rolloutCommands, statusCommands, trafficCommands];

/** The options of these commands that take a duration and have a default, as "command --option". */
function withDefaults(command: Command, path = ""): [string, Option][] {
  const own = command.options.filter(({ flags, defaultValue }) => /[<[]duration[>\]]/.test(flags) && defaultValue !== undefined);
  const nested = command.commands.flatMap((child) => withDefaults(child, `${path}${child.name()} `));
  return [...own.map(({ long, ...rest }): [string, Option] => [`${path}${long}`, rest as Option]), ...nested];
}

const program = new Command("berth");
for (const group of GROUPS) group(program);

test("the help shows the default of a duration as a user writes it", () => {
  const shown = withDefaults(program).map(([name, { defaultValue, defaultValueDescription }]) => [name, defaultValue, defaultValueDescription]);
  expect(shown).toEqual([
    ["bench --interval", 200, "200ms"],
    ["deploy --wait", 120_000, "2m"],
  ]);
});

test("deploy --help says 2m", () => {
  const deploy = program.commands.find((command) => command.name() === "deploy");
  expect(deploy?.helpInformation().replace(/\s+/g, " ")).toContain("which then takes over (default: 2m)");
});
