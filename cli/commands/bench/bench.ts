import { type Command, InvalidArgumentError, Option } from "commander";
import { ARRIVALS, type Arrivals } from "../../../bench/function/arrivals.ts";
import type { FunctionBench } from "../../../bench/function/function.ts";
import type { Result } from "../../../bench/report/result.ts";
import { CliError, EXIT } from "../../errors.ts";
import type { ManageClient } from "../../manage-client.ts";
import { durationOption, integer } from "../../options/arguments.ts";
import { globals } from "../../options/globals.ts";
import { type Format, printData, say } from "../../output.ts";

interface BenchOptions extends Omit<FunctionBench, "intervalMs"> {
  interval: number;
  router?: string;
  out?: string;
  html?: string;
}

interface Status {
  router: string | null;
  platform: string;
}

/** Adds the commands bench and compare. */
export function benchCommands(program: Command): void {
  program
    .command("bench <name>")
    .description("measure a deployed function: the starts of new functions with its code, and warm invocations")
    .option("--starts <n>", "number of new functions, for each way of arriving", integer(1, 1000), 20)
    .addOption(
      new Option("--arrivals <ways>", `how new functions are invoked: ${ARRIVALS.join(", ")}, separated by commas`)
        .default(ARRIVALS, "all three")
        .argParser(arrivalsOf),
    )
    .addOption(durationOption("--interval <duration>", "time between staggered starts", 1, 200))
    .option("--rate <n>", "warm invocations per second, open loop", integer(1, 100_000), 50)
    .option("--seconds <n>", "how long warm invocations are sent", integer(1, 3600), 5)
    .option("-d, --data <data>", "request body")
    .addOption(new Option("--router <url>", "address of a router, if the pool manager has none of its own").env("BERTH_ROUTER"))
    .option("--out <file>", "write the result as JSON, for `berth compare`")
    .option("--html <file>", "write a report with tables and plots as one page")
    .action(async (name: string, options: BenchOptions, command: Command) => {
      const { api, format } = globals(command);
      await bench(api, name, options, format);
    });

  program
    .command("compare <before> <after>")
    .description("compare two results that bench has written with --out: differences, and how much of them is noise")
    .action(async (before: string, after: string, _options: object, command: Command) => {
      const { format } = globals(command);
      const { compare } = await import("../../../bench/report/compare.ts");
      const comparison = compare(await resultIn(before), await resultIn(after));
      if (format !== "table") return printData(comparison, format);
      const { printComparison } = await import("../../../bench/report/table.ts");
      printComparison(comparison);
    });
}

async function bench(api: ManageClient, name: string, options: BenchOptions, format: Format): Promise<void> {
  const { router: own, platform } = await api.get<Status>("/v1/status");
  const router = options.router ?? own;
  if (!router) throw new CliError("NO_ROUTER", "this pool manager has no router of its own", "name one with --router or BERTH_ROUTER");
  const { benchFunction } = await import("../../../bench/function/function.ts");
  const { progressBar } = await import("../../../bench/progress.ts");
  const { machine, stolen } = await import("../../../bench/report/machine.ts");
  stolen();
  const target = { router, name, headers: api.headers };
  const scenarios = await benchFunction(api, target, { ...options, intervalMs: options.interval }, progressBar());
  const date = new Date().toISOString();
  const result: Result = { machine: { ...machine(), stolen: stolen() }, date, platform, quick: false, scenarios };
  await print(result, format);
  const { writeReport, writeResult } = await import("../../../bench/report/result.ts");
  if (options.out) writeResult(options.out, result);
  if (options.html) {
    const { html } = await import("../../../bench/report/html.ts");
    const { canPlot } = await import("../../../bench/report/plot.ts");
    writeReport(options.html, await html(`berth bench ${name}`, result));
    if (!(await canPlot())) say("the report has no plots: they need the packages vega and vega-lite, which are not installed");
  }
  for (const file of [options.out, options.html]) if (file) say(`wrote ${file}`);
  if (scenarios.some(({ errors }) => errors > 0)) process.exitCode = EXIT.functionFailed;
}

async function print({ scenarios }: Result, format: Format): Promise<void> {
  if (format !== "table") return printData({ scenarios: scenarios.map(({ latencies: _, ...scenario }) => scenario) }, format);
  const { printPhases, printScenarios } = await import("../../../bench/report/table.ts");
  printScenarios(scenarios);
  printPhases(scenarios);
}

async function resultIn(file: string): Promise<Result> {
  const { ResultError, readResult } = await import("../../../bench/report/result.ts");
  try {
    return readResult(file);
  } catch (error) {
    if (error instanceof ResultError) throw new CliError(error.code, error.message, error.fix, EXIT.usage);
    throw error;
  }
}

function arrivalsOf(text: string): readonly Arrivals[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !(ARRIVALS as readonly string[]).includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`"${unknown}" is not one of ${ARRIVALS.join(", ")}.`);
  return [...new Set(names)] as Arrivals[];
}
