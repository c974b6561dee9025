import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { pipeline } from "node:stream/promises";
import { type Command, Option } from "commander";
import pc from "picocolors";
import { CliError, EXIT } from "../errors.ts";
import { send } from "../invocation.ts";
import { functionPath, type ManageClient } from "../manage-client.ts";
import { integer, listed } from "../options/arguments.ts";
import { globals } from "../options/globals.ts";
import { printData, say } from "../output.ts";

interface InvokeOptions {
  data?: string[];
  request?: string;
  header: string[];
  path: string;
  include?: boolean;
  router?: string;
}

interface LogsOptions {
  follow?: boolean;
  tail?: number;
  since?: string;
  call?: string;
}

interface LogEntry {
  time: string;
  instance: string;
  stream: string;
  callId: string | null;
  message: string;
}

/** Adds the commands invoke and logs. */
export function invokeCommands(program: Command): void {
  program
    .command("invoke <name>")
    .description("invoke a function, NAME or NAME@ALIAS or NAME@REVISION, and print its response; redirects are not followed")
    .option("-d, --data <data>", "request body; @FILE reads a file, - standard input; several are joined by &", listed)
    .option("-X, --request <method>", "method; POST with data, else GET")
    .option("-H, --header <name: value>", "header (repeatable); by default the content type is JSON if the data is JSON, else curl's", listed, [])
    .option("-p, --path <path>", "path below the function, with its query", "")
    .addOption(new Option("--router <url>", "address of a router, if the pool manager has none of its own").env("BERTH_ROUTER"))
    .option("-i, --include", "print status and headers on stderr")
    .action(async (name: string, options: InvokeOptions, command: Command) => {
      const { api, verbose } = globals(command);
      await invoke(api, name, options, verbose || options.include === true);
    });

  program
    .command("logs <name>")
    .description("print a function's output")
    .option("-F, --follow", "continue until interrupted")
    .option("-n, --tail <lines>", "number of past lines; by default 100, or with --since all that are kept", integer(0, 1000))
    .option("--since <time>", "only lines since then: 10m, or 2026-01-31T12:00:00Z")
    .option("--call <id>", "only one invocation's lines")
    .action(async (name: string, options: LogsOptions, command: Command) => {
      const { api, format } = globals(command);
      const { follow: _, ...filters } = options;
      const query = new URLSearchParams(Object.entries(filters).map(([filter, value]) => [filter, String(value)]));
      const path = functionPath(name, "/logs");
      const print = (entry: LogEntry) => (format === "table" ? printLine(entry) : process.stdout.write(`${JSON.stringify(entry)}\n`));
      if (options.follow) return api.events(`${path}?${query}&follow=true`, (entry) => print(entry as LogEntry));
      const { items } = await api.get<{ items: LogEntry[] }>(`${path}?${query}`);
      if (format === "yaml") printData(items, format);
      else for (const entry of items) print(entry);
    });
}

async function invoke(api: ManageClient, name: string, options: InvokeOptions, verbose: boolean): Promise<void> {
  const router = options.router ?? (await api.get<{ router: string | null }>("/v1/status")).router;
  if (!router) throw new CliError("NO_ROUTER", "this pool manager has no router of its own", "name one with --router or BERTH_ROUTER", EXIT.error);
  const body = options.data ? readData(options.data) : null;
  const { header: headers, path, request: method = body === null ? "GET" : "POST" } = options;
  const response = await send({ router, name, path, method, headers, body, identity: api.headers });
  const { statusCode: status = 0, headers: answered } = response;
  if (verbose) describe(response);
  await pipeline(response, process.stdout, { end: false }).catch((error: Error) => {
    throw new CliError("CONNECTION_LOST", `the response of ${name} broke off: ${error.message}`, `berth logs ${name} may show why`, EXIT.unreachable);
  });
  if (process.stdout.isTTY) process.stdout.write("\n");
  if (status >= 300 && status < 400 && answered.location) say(`${name} answered ${status}: see ${answered.location} (redirects are not followed)`);
  if (status < 400) return;
  const code = answered["x-berth-error"];
  say(`error ${code ?? `HTTP_${status}`}: ${name} answered ${status}`);
  process.exitCode = code === undefined ? EXIT.functionFailed : status === 404 ? EXIT.notFound : EXIT.refused;
}

function describe({ statusCode, statusMessage, rawHeaders }: IncomingMessage): void {
  say(`HTTP ${statusCode} ${statusMessage}`);
  for (let i = 0; i < rawHeaders.length; i += 2) say(pc.dim(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`));
}

/** Reads request data; several parts are joined by &, as by curl. */
function readData(parts: readonly string[]): Buffer {
  return Buffer.concat(parts.flatMap((part, index) => (index === 0 ? [readPart(part)] : [Buffer.from("&"), readPart(part)])));
}

function readPart(data: string): Buffer {
  if (data !== "-" && !data.startsWith("@")) return Buffer.from(data);
  try {
    return readFileSync(data === "-" || data === "@-" ? 0 : data.slice(1));
  } catch (error) {
    throw new CliError("DATA_UNREADABLE", (error as Error).message, "name a readable file after @", EXIT.usage);
  }
}

function printLine({ time, instance, stream, callId, message }: LogEntry): void {
  const about = pc.dim(`${time} ${instance.slice(0, 6)} ${callId ?? "-"}`);
  process.stdout.write(`${about} ${stream === "err" ? pc.red(message) : message}\n`);
}
