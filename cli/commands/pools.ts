import { type Command, InvalidArgumentError } from "commander";
import { CliError, EXIT } from "../errors.ts";
import { printList, printOne } from "../output.ts";
import { globals } from "./globals.ts";

interface PoolView {
  name: string;
  runtime: string;
  size: number;
  max: number;
  instances: Record<string, number>;
}

/** pool list, pool get, pool set. */
export function poolCommands(program: Command): void {
  const pool = program.command("pool").description("look at and size pools");

  pool
    .command("list")
    .alias("ls")
    .description("list pools")
    .action(async (_options: object, command: Command) => {
      const { api, format } = globals(command);
      const { items } = await api.get<{ items: PoolView[] }>("/v1/pools");
      const count = (state: string) => (view: PoolView) => view.instances[state] ?? 0;
      const columns = [
        { title: "NAME", value: (view: PoolView) => view.name },
        { title: "SIZE", value: (view: PoolView) => view.size },
        { title: "MAX", value: (view: PoolView) => view.max },
        { title: "PREWARMED", value: count("prewarmed") },
        { title: "STARTING", value: count("starting") },
        { title: "WARM", value: count("warm") },
        { title: "FAILED", value: count("failed") },
      ];
      printList(items, columns, format);
    });

  pool
    .command("get <name>")
    .description("show a pool")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, format } = globals(command);
      printOne(await api.get<object>(`/v1/pools/${encodeURIComponent(name)}`), format);
    });

  pool
    .command("set <name>")
    .description("size a pool")
    .option("--size <n>", "instances kept free", whole)
    .option("--max <n>", "all instances of the runtime", whole)
    .action(async (name: string, options: { size?: number; max?: number }, command: Command) => {
      const { api, format, say } = globals(command);
      if (options.size === undefined && options.max === undefined)
        throw new CliError("NOTHING_TO_CHANGE", "no size was given", "use --size or --max", EXIT.usage);
      const result = (await api.call("PATCH", `/v1/pools/${encodeURIComponent(name)}`, options)) as PoolView;
      say(`pool ${name} keeps ${result.size} free, at most ${result.max} in all`);
      if (format !== "table") printOne(result, format);
    });
}

function whole(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError(`"${text}" is not a whole number.`);
  return Number(text);
}
