#!/usr/bin/env -S node --
import { Command, CommanderError, Option } from "commander";
import { benchCommands } from "./commands/bench/bench.ts";
import { devCommands } from "./commands/dev.ts";
import { functionCommands } from "./commands/functions.ts";
import { imageCommands } from "./commands/images.ts";
import { initCommands } from "./commands/init.ts";
import { invokeCommands } from "./commands/invoke.ts";
import { keyCommands } from "./commands/keys.ts";
import { poolCommands } from "./commands/pools.ts";
import { protectionCommands } from "./commands/protection.ts";
import { rolloutCommands } from "./commands/rollout.ts";
import { adviseFunctionCommand } from "./commands/sizing/advise.ts";
import { statusCommands } from "./commands/status.ts";
import { trafficCommands } from "./commands/traffic.ts";
import { EXIT, report } from "./errors.ts";
import { httpAddress, integer } from "./options/arguments.ts";
import { withListenerOptions } from "./options/listener-options.ts";
import { withPlatformOptions } from "./options/platform-options.ts";
import { withRouterOptions } from "./options/router-options.ts";
import { withTelemetryOptions } from "./options/telemetry-options.ts";
import { packageVersion } from "./package-root.ts";
import type { RouterCommandOptions } from "./router.ts";
import type { ManagerOptions, UpOptions } from "./up.ts";

const program = new Command("berth")
  .description("Deploys functions onto warm pools of instances, invokes them over HTTP and measures their starts.")
  .version(packageVersion(), "-V, --version")
  .addOption(new Option("-u, --url <url>", "address of the manage API").env("BERTH_URL").default("http://127.0.0.1:8081"))
  .addOption(new Option("-k, --key <key>", "API key, for listeners that require one").env("BERTH_KEY"))
  .addOption(new Option("-o, --output <format>", "how data is printed").env("BERTH_OUTPUT").choices(["table", "json", "yaml"]).default("table"))
  .option("-q, --quiet", "no messages, only data and errors")
  .option("-v, --verbose", "more messages")
  .exitOverride()
  .configureHelp({ showGlobalOptions: true });

const keyOf = (command: Command) => command.optsWithGlobals<{ key?: string }>().key ?? null;
const redis = () => new Option("--redis <url>", "Redis that stores the last table for routers that start without a pool manager").env("BERTH_REDIS");

/** Adds the options of a pool manager, with or without a router in its process. */
function managerOptions(command: Command): Command {
  return withPlatformOptions(command)
    .addOption(new Option("--api-port <port>", "port of the manage API; 0 for any free one").env("BERTH_API_PORT").default(8081).argParser(integer(0, 65_535)))
    .addOption(new Option("--state-dir <dir>", "where functions and code are kept").env("BERTH_STATE_DIR").default(".berth"))
    .addOption(
      new Option("--pool-size <n>", "instances kept free, until set with berth pool set").env("BERTH_POOL_SIZE").default(3).argParser(integer(0, 1000)),
    )
    .addOption(
      new Option("--pool-max <n>", "maximum number of instances; by default as many as fit in half of the memory, on a cluster 100")
        .env("BERTH_POOL_MAX")
        .argParser(integer(1, 5000)),
    )
    .addOption(
      new Option("--max-code <bytes>", "maximum size of a code upload")
        .env("BERTH_MAX_CODE")
        .default(64 * 1024 * 1024)
        .argParser(integer(1, 2 ** 28)),
    )
    .addOption(
      new Option("--keep-unused <hours>", "how long unused code is kept if no deletion of it was observed")
        .env("BERTH_KEEP_UNUSED")
        .default(24)
        .argParser(integer(1, 8760)),
    )
    .addOption(
      new Option(
        "--invoke-url <url>",
        "URL at which clients reach the routers, such as https://functions.example.com; commands and dashboard show it; by default that of its own router",
      )
        .env("BERTH_INVOKE_URL")
        .argParser(httpAddress),
    )
    .addOption(redis())
    .addOption(new Option("--log-level <level>", "log on stderr").env("BERTH_LOG_LEVEL").choices(["silent", "error", "warn", "info", "debug"]).default("warn"))
    .addOption(new Option("--function-log", "write functions' output to standard output as JSON lines, with call and trace ids").env("BERTH_FUNCTION_LOG"))
    .addOption(new Option("--no-example", "do not deploy hello when nothing is deployed"));
}

withListenerOptions(withTelemetryOptions(withRouterOptions(managerOptions(program.command("up")))))
  .description("run pool manager and router on this machine, and instances on it or on a cluster")
  .action(async (options: UpOptions, command: Command) => {
    const { up } = await import("./up.ts");
    await up({ ...options, poolMax: options.poolMax ?? null }, options, keyOf(command));
  });

withListenerOptions(withTelemetryOptions(managerOptions(program.command("manager"))))
  .description("run a pool manager alone; routers are started with berth router")
  .action(async (options: ManagerOptions, command: Command) => {
    const { up } = await import("./up.ts");
    await up({ ...options, poolMax: options.poolMax ?? null }, null, keyOf(command));
  });

withListenerOptions(withTelemetryOptions(withRouterOptions(program.command("router"))))
  .description("run a router that connects to a pool manager elsewhere (--url)")
  .addOption(
    new Option("--admin-port <port>", "port of /metrics, /healthz and /readyz; 0 for any free one")
      .env("BERTH_ADMIN_PORT")
      .default(0)
      .argParser(integer(0, 65_535)),
  )
  .addOption(new Option("-n, --namespace <name>", "namespace of the pool manager").env("BERTH_NAMESPACE").default("berth"))
  .addOption(new Option("--openfaas", "pass requests of OpenFaaS's clients (/system/...) on to the pool manager").env("BERTH_OPENFAAS"))
  .addOption(redis())
  .addOption(
    new Option("--unready <ms>", "how long a stopping router still serves while it reports that it is not ready")
      .env("BERTH_UNREADY")
      .default(1000)
      .argParser(integer(0, 60_000)),
  )
  .action(async (options: RouterCommandOptions, command: Command) => {
    const { router } = await import("./router.ts");
    const { url, key } = command.optsWithGlobals<{ url: string; key?: string }>();
    await router(url, key ?? null, options);
  });

devCommands(program);
initCommands(program);
functionCommands(program);
invokeCommands(program);
poolCommands(program);
adviseFunctionCommand(program);
statusCommands(program);
benchCommands(program);
trafficCommands(program);
rolloutCommands(program);
keyCommands(program);
imageCommands(program);
protectionCommands(program);

/** How long a failed command may live on because of sockets or timers that it has left open. */
const END_MS = 1000;

async function main(): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) process.exitCode = report(error);
    else process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage;
    // The timer itself does not keep the process alive: output is flushed, and the process may end earlier.
    setTimeout(() => process.exit(), END_MS).unref();
  }
}

process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : EXIT.error));
await main();
