import { type Command, InvalidArgumentError } from "commander";
import type { FunctionAnswer } from "../../pool-manager/api/schemas/answers.ts";
import { functionPath } from "../manage-client.ts";
import { globals } from "../options/globals.ts";
import { printOne } from "../output.ts";

interface TrafficOptions {
  active?: string;
  split?: Record<string, number>;
  alias?: Record<string, string>;
  clear?: boolean;
}

/** Adds the command traffic. */
export function trafficCommands(program: Command): void {
  program
    .command("traffic <name>")
    .description("split invocations among revisions and name revisions; without options: show split and names")
    .option("--active <revision>", "revision that gets the rest of the split; a change of it ends the split")
    .option("--split <revision=percent>", "share of another revision (repeatable; replaces the split)", share)
    .option("--alias <alias=revision>", "also invoke a revision as NAME@ALIAS (repeatable; replaces the aliases)", alias)
    .option("--clear", "remove split and aliases")
    .action(async (name: string, options: TrafficOptions, command: Command) => {
      const { api, format } = globals(command);
      const path = functionPath(name);
      const cleared = options.clear ? { split: {}, aliases: {} } : {};
      const given = { active: options.active, split: options.split, aliases: options.alias };
      const change = { ...cleared, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
      const changes = Object.keys(change).length > 0;
      const result = (await (changes ? api.call("PUT", `${path}/traffic`, change) : api.get(path))) as FunctionAnswer;
      const { revision: active, split, aliases } = result;
      printOne({ active, split, aliases }, format);
    });
}

function share(text: string, known: Record<string, number> = {}): Record<string, number> {
  const [, revision, percent] = /^(r\d+)=(\d+)$/.exec(text) ?? [];
  if (revision === undefined) throw new InvalidArgumentError(`"${text}" is not REVISION=PERCENT, such as r3=10.`);
  return { ...known, [revision]: Number(percent) };
}

function alias(text: string, known: Record<string, string> = {}): Record<string, string> {
  const [, name, revision] = /^([^=]+)=(r\d+)$/.exec(text) ?? [];
  if (name === undefined || revision === undefined) throw new InvalidArgumentError(`"${text}" is not ALIAS=REVISION, such as next=r3.`);
  return { ...known, [name]: revision };
}
