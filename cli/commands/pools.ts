import type { Command } from "commander";
import type { PoolAnswer } from "../../pool-manager/api/schemas/answers.ts";
import { CliError, EXIT } from "../errors.ts";
import { globals } from "../options/globals.ts";
import { printList, printOne } from "../output.ts";
import { advisePoolCommand } from "./sizing/advise.ts";
import { changeOf, shownMemory, withIdleMemoryOption } from "./sizing/idle-memory-option.ts";
import { hitOption, keepsInWords, sizeInWords, sizeOption } from "./sizing/size-option.ts";
import { scheduledInWords, shownScheduled, withWarmOption } from "./sizing/warm-option.ts";
import { whole } from "./whole.ts";

interface PoolOptions {
  size?: number | "auto";
  targetHit?: number;
  min?: number;
  max?: number;
  idleMemory?: string;
  warm?: string[];
  partition?: number;
  force?: boolean;
}

/** A summary such as "2 pending, 1 stuck". */
function obstructed({ obstructed }: PoolAnswer): string {
  return Object.entries(obstructed)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(", ");
}

/** Why a pool has its size, if it chooses it itself or a schedule raises it. A decision names its schedule. */
function reasonsOf({ sizing, scheduled }: PoolAnswer): string[] {
  if (sizing) return [sizing.reason];
  return scheduled ? [scheduledInWords(scheduled)] : [];
}

/** Adds the commands pool list, pool get, pool set, pause and resume. */
export function poolCommands(program: Command): void {
  const pool = program.command("pool").description("show and size pools");

  pool
    .command("list")
    .alias("ls")
    .description("list pools")
    .action(async (_options: object, command: Command) => {
      const { api, format, say } = globals(command);
      const { items } = await api.get<{ items: PoolAnswer[] }>("/v1/pools");
      const count = (state: string) => (view: PoolAnswer) => view.instances[state] ?? 0;
      const columns = [
        { title: "NAME", value: (view: PoolAnswer) => view.name },
        { title: "SIZE", value: sizeInWords },
        { title: "MAX", value: (view: PoolAnswer) => view.max },
        { title: "PREWARMED", value: count("prewarmed") },
        { title: "STARTING", value: count("starting") },
        { title: "WARM", value: count("warm") },
        { title: "FAILED", value: count("failed") },
        { title: "OBSTRUCTED", value: (view: PoolAnswer) => obstructed(view) },
        { title: "PAUSED", value: (view: PoolAnswer) => (view.paused ? "yes" : view.doubt ? "in doubt" : "") },
      ];
      printList(items, columns, format);
      if (format !== "table") return;
      for (const view of items) for (const reason of reasonsOf(view)) say(`pool ${view.name}: ${reason}`);
      for (const { name, problems } of items) for (const problem of problems) say(`pool ${name}: ${problem}`);
    });

  pool
    .command("get <name>")
    .description("show a pool")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, format } = globals(command);
      const view = await api.get<PoolAnswer>(`/v1/pools/${encodeURIComponent(name)}`);
      printOne(format === "table" ? { ...view, size: sizeInWords(view), ...shownMemory(view), ...shownScheduled(view) } : view, format);
    });

  withWarmOption(withIdleMemoryOption(pool.command("set <name>")), 12)
    .description("size a pool")
    .option("--size <n>", 'instances kept free; "auto": as many as the claims need', sizeOption)
    .option("--target-hit <share>", "with --size auto: share of the claims that find a free instance, such as 0.99", hitOption)
    .option("--min <n>", "with --size auto: the least number kept free", whole)
    .option("--max <n>", "maximum number of instances of the pool", whole)
    .option("--partition <percent>", "percentage of instances that keep an older version of the runtime after an upgrade; 0: all are replaced", whole)
    .option("--force", "accept a size that exceeds the machine's memory")
    .action(async (name: string, options: PoolOptions, command: Command) => {
      const { api, format, say } = globals(command);
      if (Object.keys(options).every((option) => option === "force"))
        throw new CliError(
          "NOTHING_TO_CHANGE",
          "nothing was given",
          "use --size, --target-hit, --min, --max, --idle-memory, --warm or --partition",
          EXIT.usage,
        );
      const result = (await api.call("PATCH", `/v1/pools/${encodeURIComponent(name)}`, changeOf(options))) as PoolAnswer;
      say(`pool ${name} ${keepsInWords(result)}`);
      if (format !== "table") printOne(result, format);
    });

  advisePoolCommand(pool);

  for (const [verb, paused] of [
    ["pause", true],
    ["resume", false],
  ] as const) {
    program
      .command(`${verb} [pool]`)
      .description(paused ? "pause a pool, or all: nothing is deleted or changed in place" : "resume a pool, or all")
      .action(async (name: string | undefined, _options: object, command: Command) => {
        const { api, say } = globals(command);
        const { items } = await api.get<{ items: PoolAnswer[] }>("/v1/pools");
        for (const pool of name === undefined ? items.map((item) => item.name) : [name]) {
          await api.call("PATCH", `/v1/pools/${encodeURIComponent(pool)}`, { paused });
          say(paused ? `pool ${pool} is paused: nothing is deleted and nothing changed in place` : `pool ${pool} is resumed`);
        }
      });
  }
}
