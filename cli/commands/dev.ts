import { type Command, Option } from "commander";
import { integer, listed } from "../options/arguments.ts";
import { keyValue, secretValue } from "./deploy/variables.ts";

const INSPECT_PORT = 9229;
const isPort = integer(0, 65_535);

/** Adds the command dev. */
export function devCommands(program: Command): void {
  program
    .command("dev [paths...]")
    .description("serve functions from their directories, and reload them when a file is saved")
    .option("--name <name>", "name of the function; by default that of its directory")
    .addOption(new Option("--port <port>", "port for invocations; by default 8080, or any free one").env("BERTH_DEV_PORT").argParser(isPort))
    .option("-e, --env <K=V>", "environment variable (repeatable); it overrides those of files", keyValue, {})
    .option("--env-file <file>", "environment variables of a file in dotenv format, besides .env (repeatable)", listed, [])
    .option("--secret <K=V>", "secret variable (repeatable); K alone takes it from your environment", secretValue, {})
    .option("--inspect [port]", `debuggers may connect: to Node, or by debugpy to Python; by default at ${INSPECT_PORT}`, isPort)
    .option("--open", "open the function in a browser")
    .action(async (paths: string[], { inspect, ...options }) => {
      const { dev } = await import("../dev/dev.ts");
      await dev(paths.length > 0 ? paths : ["."], { ...options, ...(inspect !== undefined && { inspect: inspect === true ? INSPECT_PORT : inspect }) });
    });
}
