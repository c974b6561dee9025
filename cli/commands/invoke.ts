import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Command, Option } from "commander";
import pc from "picocolors";
import type { Api } from "../api.ts";
import { CliError, EXIT } from "../errors.ts";
import { printData, say } from "../output.ts";
import { globals } from "./globals.ts";

interface InvokeOptions {
  data?: string;
  request?: string;
  header: string[];
  path: string;
  include?: boolean;
  router?: string;
}

interface LogEntry {
  time: string;
  instance: string;
  stream: string;
  callId: string | null;
  message: string;
}

/** invoke, logs. */
export function invokeCommands(program: Command): void {
  program
    .command("invoke <name>")
    .description("invoke a function and print its response")
    .option("-d, --data <data>", "request body; @FILE reads a file, - standard input")
    .option("-X, --request <method>", "method; POST with data, else GET")
    .option("-H, --header <name: value>", "header (repeatable)", (text: string, all: string[]) => [...all, text], [])
    .option("-p, --path <path>", "path below the function", "")
    .addOption(new Option("--router <url>", "address of a router, where the pool manager has none of its own").env("BERTH_ROUTER"))
    .option("-i, --include", "print status and headers on stderr")
    .action(async (name: string, options: InvokeOptions, command: Command) => {
      const { api, verbose } = globals(command);
      await invoke(api, name, options, verbose || options.include === true);
    });

  program
    .command("logs <name>")
    .description("print a function's output")
    .option("-F, --follow", "go on until interrupted")
    .option("-n, --tail <lines>", "lines to begin with", "100")
    .option("--call <id>", "only one invocation's lines")
    .action(async (name: string, options: { follow?: boolean; tail: string; call?: string }, command: Command) => {
      const { api, format } = globals(command);
      const query = new URLSearchParams({ tail: options.tail });
      if (options.call) query.set("call", options.call);
      const path = `/v1/functions/${encodeURIComponent(name)}/logs`;
      const print = (entry: LogEntry) => (format === "table" ? printLine(entry) : process.stdout.write(`${JSON.stringify(entry)}\n`));
      if (options.follow) return api.events(`${path}?${query}&follow=true`, (entry) => print(entry as LogEntry));
      const { items } = await api.get<{ items: LogEntry[] }>(`${path}?${query}`);
      if (format === "yaml") printData(items, format);
      else for (const entry of items) print(entry);
    });
}

async function invoke(api: Api, name: string, options: InvokeOptions, verbose: boolean): Promise<void> {
  const router = options.router ?? (await api.get<{ router: string | null }>("/v1/status")).router;
  if (!router) throw new CliError("NO_ROUTER", "this pool manager has no router of its own", "name one with --router or BERTH_ROUTER", EXIT.error);
  const body = readData(options.data);
  const path = options.path && !/^[/?]/.test(options.path) ? `/${options.path}` : options.path;
  const response = await fetch(`${router}/function/${encodeURIComponent(name)}${path}`, {
    method: options.request ?? (body === null ? "GET" : "POST"),
    headers: { ...api.headers, ...headersOf(options.header, body) },
    body: body as BodyInit | null,
  }).catch((error: Error) => {
    throw new CliError("UNREACHABLE", `no router answers at ${router}: ${error.message}`, "is berth running?", EXIT.unreachable);
  });
  if (verbose) describe(response);
  if (response.body) await pipeline(Readable.fromWeb(response.body as never), process.stdout, { end: false });
  if (process.stdout.isTTY) process.stdout.write("\n");
  if (response.ok) return;
  const code = response.headers.get("x-berth-error");
  say(`error ${code ?? `HTTP_${response.status}`}: ${name} answered ${response.status}`);
  process.exitCode = response.status === 404 ? EXIT.notFound : EXIT.refused;
}

function describe(response: Response): void {
  say(`HTTP ${response.status} ${response.statusText}`);
  for (const [name, value] of response.headers) say(pc.dim(`${name}: ${value}`));
}

function readData(data: string | undefined): string | Uint8Array | null {
  if (data === undefined) return null;
  if (data === "-") return new Uint8Array(readFileSync(0));
  if (!data.startsWith("@")) return data;
  try {
    return new Uint8Array(readFileSync(data.slice(1)));
  } catch (error) {
    throw new CliError("DATA_UNREADABLE", (error as Error).message, "name a readable file after @", EXIT.usage);
  }
}

function headersOf(given: readonly string[], body: string | Uint8Array | null): Headers {
  const headers = new Headers();
  if (typeof body === "string") headers.set("content-type", isJson(body) ? "application/json" : "text/plain");
  for (const header of given) {
    const at = header.indexOf(":");
    if (at < 1) throw new CliError("HEADER_INVALID", `${JSON.stringify(header)} is not a header`, 'write it as -H "name: value"', EXIT.usage);
    headers.set(header.slice(0, at).trim(), header.slice(at + 1).trim());
  }
  return headers;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function printLine({ time, instance, stream, callId, message }: LogEntry): void {
  const about = pc.dim(`${time} ${instance.slice(0, 6)} ${callId ?? "-"}`);
  process.stdout.write(`${about} ${stream === "err" ? pc.red(message) : message}\n`);
}
