#!/usr/bin/env node
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { functionCommands } from "./commands/functions.ts";
import { invokeCommands } from "./commands/invoke.ts";
import { poolCommands } from "./commands/pools.ts";
import { statusCommands } from "./commands/status.ts";
import { EXIT, report } from "./errors.ts";
import { packageVersion } from "./root.ts";
import type { UpOptions } from "./up.ts";

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`"${text}" is not an integer between ${min} and ${max}.`);
    }
    return value;
  };
}

const program = new Command("berth")
  .description("Deploys functions onto warm pools of instances, invokes them over HTTP and measures their starts.")
  .version(packageVersion(), "-V, --version")
  .addOption(new Option("-u, --url <url>", "address of the manage API").env("BERTH_URL").default("http://127.0.0.1:8081"))
  .addOption(new Option("-o, --output <format>", "how data is printed").env("BERTH_OUTPUT").choices(["table", "json", "yaml"]).default("table"))
  .option("-q, --quiet", "no messages, only data and errors")
  .option("-v, --verbose", "more messages")
  .exitOverride()
  .configureHelp({ showGlobalOptions: true });

program
  .command("up")
  .description("run pool manager and router on this machine")
  .addOption(new Option("--router-port <port>", "port for invocations; 0: any free one").env("BERTH_ROUTER_PORT").default(8080).argParser(integer(0, 65_535)))
  .addOption(new Option("--api-port <port>", "port of the manage API; 0: any free one").env("BERTH_API_PORT").default(8081).argParser(integer(0, 65_535)))
  .addOption(new Option("--state-dir <dir>", "where functions and code are kept").env("BERTH_STATE_DIR").default(".berth"))
  .addOption(new Option("--pool-size <n>", "instances kept free, until set with berth pool set").env("BERTH_POOL_SIZE").default(3).argParser(integer(0, 1000)))
  .addOption(new Option("--pool-max <n>", "most instances; by default what half of the memory holds").env("BERTH_POOL_MAX").argParser(integer(1, 5000)))
  .addOption(
    new Option("--max-body <bytes>", "largest request body")
      .env("BERTH_MAX_BODY")
      .default(16 * 1024 * 1024)
      .argParser(integer(0, 2 ** 40)),
  )
  .addOption(
    new Option("--max-code <bytes>", "largest upload of code")
      .env("BERTH_MAX_CODE")
      .default(64 * 1024 * 1024)
      .argParser(integer(1, 2 ** 28)),
  )
  .addOption(new Option("--log-level <level>", "log on stderr").env("BERTH_LOG_LEVEL").choices(["silent", "error", "warn", "info", "debug"]).default("warn"))
  .addOption(new Option("--no-example", "do not deploy hello when nothing is deployed"))
  .action(async (options: UpOptions) => {
    const { up } = await import("./up.ts");
    await up({ ...options, poolMax: options.poolMax ?? null });
  });

functionCommands(program);
invokeCommands(program);
poolCommands(program);
statusCommands(program);

async function main(): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) process.exitCode = report(error);
    else process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage;
  }
}

process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : EXIT.error));
await main();
