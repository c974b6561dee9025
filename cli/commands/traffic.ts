import { type Command, InvalidArgumentError } from "commander";
import type { FunctionAnswer } from "../../pool-manager/api/schemas/answers.ts";
import { functionPath } from "../manage-client.ts";
import { globals } from "../options/globals.ts";
import { printOne } from "../output.ts";

interface TrafficOptions {
  active?: string;
  split?: Record<string, number>;
  alias?: Record<string, string>;
  minScale?: Record<string, number>;
  clear?: boolean;
}

/** Adds the command traffic. */
export function trafficCommands(program: Command): void {
  program
    .command("traffic <name>")
    .description("split invocations among revisions, name revisions and keep instances of them; without options: show all three")
    .option("--active <revision>", "revision that gets the rest of the split; a change of it ends the split")
    .option("--split <revision=percent>", "share of another revision (repeatable; replaces the split)", share)
    .option("--alias <alias=revision>", "also invoke a revision as NAME@ALIAS (repeatable; replaces the aliases)", alias)
    .option("--min-scale <revision=n>", "instances that are kept of a revision with a share or an alias (repeatable; replaces all such numbers)", kept)
    .option("--clear", "remove split and aliases, and keep no instances of other revisions")
    .action(async (name: string, options: TrafficOptions, command: Command) => {
      const { api, format, say } = globals(command);
      const path = functionPath(name);
      const cleared = options.clear ? { split: {}, aliases: {} } : {};
      const given = { active: options.active, split: options.split, aliases: options.alias, minScales: options.minScale };
      const change = { ...cleared, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
      const changes = Object.keys(change).length > 0;
      const result = (await (changes ? api.call("PUT", `${path}/traffic`, change) : api.get(path))) as FunctionAnswer;
      const { revision: active, split, aliases, minScales } = result;
      if (minScales[active] !== undefined) say(`${active} is active: of it, minScale is kept (berth scale ${name} --min)`);
      printOne({ active, split, aliases, minScales }, format);
    });
}

type Numbers = Record<string, number>;

const share = (text: string, known?: Numbers) => numbered(text, known, "REVISION=PERCENT, such as r3=10");
const kept = (text: string, known?: Numbers) => numbered(text, known, "REVISION=INSTANCES, such as r3=2");

function numbered(text: string, known: Numbers | undefined, form: string): Numbers {
  const [, revision, number] = /^(r\d+)=(\d+)$/.exec(text) ?? [];
  if (revision === undefined) throw new InvalidArgumentError(`"${text}" is not ${form}.`);
  return { ...known, [revision]: Number(number) };
}

function alias(text: string, known: Record<string, string> = {}): Record<string, string> {
  const [, name, revision] = /^([^=]+)=(r\d+)$/.exec(text) ?? [];
  if (name === undefined || revision === undefined) throw new InvalidArgumentError(`"${text}" is not ALIAS=REVISION, such as next=r3.`);
  return { ...known, [name]: revision };
}
