import { type Command, Option } from "commander";
import type { FunctionAdviceAnswer, PoolAdviceAnswer } from "../../../pool-manager/api/schemas/answers.ts";
import { functionPath } from "../../manage-client.ts";
import { globals } from "../../options/globals.ts";
import { type Format, printData, printList } from "../../output.ts";

/** Sizes that the table shows besides the present and the recommended one. */
const SHOWN = 12;

const windowOption = () => new Option("--window <window>", "what is replayed").choices(["1h", "24h"]).default("1h");

/** Adds the command `advise` to a group of commands for pools. */
export function advisePoolCommand(pool: Command): void {
  pool
    .command("advise <name>")
    .description("what the last hour or day would have hit and cost at every size, and which size is recommended")
    .addOption(windowOption())
    .action(async (name: string, { window }: { window: string }, command: Command) => {
      const { api, format } = globals(command);
      const advice = await api.get<PoolAdviceAnswer>(`/v1/pools/${encodeURIComponent(name)}/advice?window=${window}`);
      if (format !== "table") return printData(advice, format);
      print(advice.text);
      const marks = (size: number) => [...(size === advice.size ? ["now"] : []), ...(size === advice.recommended ? ["recommended"] : [])].join(", ");
      const columns = [
        { title: "SIZE", value: ({ size }: Row) => size },
        { title: "HIT", value: ({ hit }: Row) => share(hit) },
        { title: "INSTANCE-SECONDS", value: ({ instanceSeconds }: Row) => Math.round(instanceSeconds) },
        { title: "MB·S", value: ({ memorySeconds }: Row) => memorySeconds },
        { title: "", value: ({ size }: Row) => marks(size) },
      ];
      printList(shownOf(advice), columns, format);
    });
}

/** Adds the command `advise` for functions. */
export function adviseFunctionCommand(program: Command): void {
  program
    .command("advise <name>")
    .description("what the last hour or day would have been with another minScale or concurrency of a function")
    .addOption(windowOption())
    .action(async (name: string, { window }: { window: string }, command: Command) => {
      const { api, format } = globals(command);
      const advice = await api.get<FunctionAdviceAnswer>(functionPath(name, `/advice?window=${window}`));
      if (format !== "table") return printData(advice, format);
      print(advice.text);
      const marks = (scale: number) => [...(scale === advice.minScale ? ["now"] : []), ...(scale === advice.recommended ? ["recommended"] : [])].join(", ");
      const columns = [
        { title: "MINSCALE", value: ({ minScale }: Scale) => minScale },
        { title: "STARTS", value: ({ starts }: Scale) => starts },
        { title: "AVOIDED", value: ({ avoided }: Scale) => share(avoided) },
        { title: "INSTANCE-SECONDS", value: ({ instanceSeconds }: Scale) => Math.round(instanceSeconds) },
        { title: "", value: ({ minScale }: Scale) => marks(minScale) },
      ];
      printList(advice.scales.slice(0, SHOWN), columns, format);
      printConcurrencies(advice, format);
    });
}

type Row = PoolAdviceAnswer["sizes"][number];
type Scale = FunctionAdviceAnswer["scales"][number];
type Concurrency = FunctionAdviceAnswer["concurrencies"][number];

function printConcurrencies({ concurrencies, concurrency: now, recommendedConcurrency }: FunctionAdviceAnswer, format: Format): void {
  if (concurrencies.length === 0) return;
  const marks = (one: number) => [...(one === now ? ["now"] : []), ...(one === recommendedConcurrency ? ["enough if it mostly waits"] : [])].join(", ");
  const columns = [
    { title: "CONCURRENCY", value: ({ concurrency }: Concurrency) => concurrency },
    { title: "BUSY AT ONCE", value: ({ peak }: Concurrency) => peak },
    { title: "INSTANCE-SECONDS", value: ({ busySeconds }: Concurrency) => Math.round(busySeconds) },
    { title: "", value: ({ concurrency }: Concurrency) => marks(concurrency) },
  ];
  print([""]);
  printList(concurrencies, columns, format);
}

/** The first sizes up to the recommended one and a few above it, the present one and the largest; `-o json` prints all. */
function shownOf({ sizes, size, recommended }: PoolAdviceAnswer): Row[] {
  const from = Math.max(0, recommended - SHOWN / 2);
  return sizes.filter((row, i) => (row.size >= from && row.size < from + SHOWN) || row.size === 0 || row.size === size || i === sizes.length - 1);
}

function share(value: number | null): string {
  return value === null ? "-" : `${Number((value * 100).toFixed(2))} %`;
}

function print(text: readonly string[]): void {
  for (const line of text) process.stdout.write(`${line}\n`);
}
