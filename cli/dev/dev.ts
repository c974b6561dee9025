import closeWithGrace from "close-with-grace";
import pc from "picocolors";
import { LinkedPackages } from "../bundle/python/linked-packages.ts";
import { CliError } from "../errors.ts";
import { ManageClient } from "../manage-client.ts";
import { say } from "../output.ts";
import { type Berth, startTemporary } from "../up.ts";
import { DevFunction } from "./dev-function.ts";
import { Inspector } from "./inspect.ts";
import { openBrowser } from "./open-browser.ts";
import { Report } from "./report.ts";
import { devSources } from "./sources.ts";

export interface DevOptions {
  name?: string;
  /** Undefined: the usual one, or any free one if another program has it. */
  port?: number;
  env: Record<string, string>;
  envFile: string[];
  secret: Record<string, string>;
  /** The port for debuggers, of several functions that of the first. */
  inspect?: number;
  open?: boolean;
}

const USUAL_PORT = 8080;
/** How long running invocations may take when it ends. */
const DRAIN_MS = 500;
/** How long the end may take. */
const END_MS = 8000;

/** Serves functions from their sources until it is interrupted. */
export async function dev(paths: readonly string[], options: DevOptions): Promise<void> {
  const sources = devSources(paths, options.name);
  const startedAt = performance.now();
  const closing: (() => void | Promise<void>)[] = [];
  const grace = closeWithGrace({ delay: END_MS, logger: false }, async ({ err }) => {
    if (err) say(`berth dev stops: ${err.stack ?? err.message}`);
    for (const close of closing.reverse()) await close();
    if (err) process.exitCode = 1;
  });
  try {
    const linked = new LinkedPackages();
    closing.push(() => linked.remove());
    const berth = await startServer(options.port);
    closing.push(() => berth.close());
    const api = new ManageClient(berth.manageUrl);
    const functions: DevFunction[] = [];
    for (const [at, source] of sources.entries()) {
      const inspector = options.inspect === undefined ? null : await Inspector.listen(options.inspect && options.inspect + at);
      if (inspector) closing.push(() => inspector.close());
      const deployment = { ...source, envFiles: options.envFile, env: options.env, secret: options.secret, inspect: inspector !== null, linked };
      const one = new DevFunction(api, deployment, new Report(sources.length > 1 ? source.name : ""), inspector);
      closing.push(() => one.close());
      functions.push(one);
      if (inspector) say(`debuggers of ${source.name} connect to 127.0.0.1:${inspector.port}`);
    }
    await Promise.all(functions.map((one) => one.start()));
    for (const { name, base } of sources) {
      process.stdout.write(`${pc.bold(`${berth.invokeUrl}/function/${name}`)}\n`);
      say(pc.dim(`  ${name}: ${base}`));
    }
    say(pc.dim(`watching for changes, ${((performance.now() - startedAt) / 1000).toFixed(1)} s after the start; Ctrl-C ends it; manage ${berth.manageUrl}`));
    if (options.open) openBrowser(`${berth.invokeUrl}/function/${sources[0]?.name}`);
  } catch (error) {
    grace.uninstall();
    for (const close of closing.reverse()) await close();
    throw error;
  }
}

async function startServer(port: number | undefined): Promise<Berth> {
  const start = (routerPort: number) => startTemporary({ routerPort, poolSize: 1, drainMs: DRAIN_MS, keepNext: true, logLevel: "error" });
  return start(port ?? USUAL_PORT).catch((error) => {
    if (port === undefined && (error as CliError).code === "PORT_IN_USE") return start(0);
    throw error instanceof CliError && error.code === "PORT_IN_USE"
      ? new CliError(error.code, error.message, "choose another with --port, or leave it out")
      : error;
  });
}
