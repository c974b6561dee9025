import { join, relative, resolve } from "node:path";
import closeWithGrace from "close-with-grace";
import { pino } from "pino";
import type { RetentionLimits } from "../pool-manager/functions/retention.ts";
import { RegistryError } from "../pool-manager/images/registry.ts";
import { KubeError } from "../pool-manager/kubernetes/error.ts";
import { type PoolManager, startPoolManager } from "../pool-manager/start.ts";
import { StateDirError } from "../pool-manager/stores/files/state-dir-lock.ts";
import { type Router, startRouter } from "../router/start.ts";
import { FunctionNodeError } from "../runtime-images/node/find-node.ts";
import { CliError, EXIT, portError } from "./errors.ts";
import { ManageClient } from "./manage-client.ts";
import { keysOf, type ListenerOptions } from "./options/listener-options.ts";
import { type PlatformOptions, platformConfig } from "./options/platform-options.ts";
import { type RouterOptions, routerConfig } from "./options/router-options.ts";
import { packageRoot, packageVersion } from "./package-root.ts";
import { type ProcessTelemetry, Telemetry } from "./telemetry.ts";
import { removeDirectory, temporaryDirectory } from "./temporary-directory.ts";

export interface ManagerOptions extends PlatformOptions, ListenerOptions, ProcessTelemetry {
  apiPort: number;
  stateDir: string;
  poolSize: number;
  poolMax: number | null;
  maxCode: number;
  /** For how many hours unused code is kept. */
  keepUnused: number;
  /** By default the hours above, and ten minutes after a deletion. */
  retention?: Partial<RetentionLimits>;
  logLevel: string;
  /** URL at which clients reach the routers; by default that of the pool manager's own router. */
  invokeUrl?: string;
  /** URL of the Redis that keeps the last table for routers. */
  redis?: string;
  example: boolean;
  /** How long running invocations may take when it stops; by default ten seconds. */
  drainMs?: number;
  /** Called when another pool manager leads; by default the process ends. */
  onLost?: (message: string) => void;
}

export type UpOptions = ManagerOptions & RouterOptions;

const HOUR_MS = 3_600_000;
/** How long running invocations may take when Berth stops. */
const DRAIN_MS = 10_000;
/** How long the start waits for a pool to have an instance. */
const PREWARM_MS = 20_000;
/** The number of functions beyond which the start suggests none. */
const MANY = 100;

export interface Berth {
  /** Empty without a router. */
  invokeUrl: string;
  manageUrl: string;
  close(): Promise<void>;
}

/** Starts pool manager and router in one process. With null options there is no router: routers run elsewhere (`berth router`). `stop` ends the wait of a standby. */
async function startBerth(options: ManagerOptions, routerOptions: RouterOptions | null, stop: AbortSignal): Promise<Berth> {
  const telemetry = await Telemetry.open(routerOptions ? "berth" : "berth-manager", options, (line) => log.warn(line));
  const log = openLog(options.logLevel, telemetry);
  const manager = await startManager(options, log, telemetry, stop);
  const closeManager = async () => {
    await manager.close();
    await telemetry.close();
  };
  await telemetry.follow(manager.registries);
  if (!routerOptions) return { invokeUrl: "", manageUrl: manager.url, close: closeManager };
  let router: Router;
  try {
    const say = (line: string) => log.warn(line);
    router = await startRouter(routerConfig({ ...routerOptions, manageUrl: manager.url }, null, 0, options.drainMs ?? DRAIN_MS), () => manager.link, say);
  } catch (error) {
    await closeManager();
    throw portError(error, "--router-port", routerOptions.routerPort);
  }
  manager.attachRouter(router);
  const close = async () => {
    await router.close();
    await closeManager();
  };
  return { invokeUrl: router.url, manageUrl: manager.url, close };
}

/** The process's own log: JSON lines on standard error, and at the collector if that receives logs. */
function openLog(level: string, { ownLines }: Telemetry): pino.Logger {
  const stderr = pino.destination({ dest: 2, sync: true });
  // Each stream of several has a level of its own; the logger's decides.
  return pino({ level, base: undefined }, ownLines ? pino.multistream([stderr, ownLines].map((stream) => ({ level: "trace" as const, stream }))) : stderr);
}

/** Runs a pool manager, and with `routerOptions` a router, until it is stopped. */
export async function up(options: ManagerOptions, routerOptions: RouterOptions | null, key: string | null): Promise<void> {
  const stop = new AbortController();
  const starting = startBerth(options, routerOptions, stop.signal);
  // Installed before the start: a standby may wait for days, and the first process of a container has no default signal handlers.
  const grace = closeWithGrace({ delay: DRAIN_MS + 5000, logger: false }, async ({ err }) => {
    if (err) process.stderr.write(`berth stops: ${err.stack ?? err.message}\n`);
    else process.stderr.write("berth stops: running invocations may finish\n");
    stop.abort();
    const started = await starting.catch(() => null);
    await started?.close();
    if (err) process.exitCode = EXIT.error;
  });
  try {
    await greet(await starting, options, key);
  } catch (error) {
    if (stop.signal.aborted) return;
    grace.uninstall();
    // A failed start has already cleaned up.
    const started = await starting.catch(() => null);
    const ended = started?.close().catch((late: Error) => process.stderr.write(`berth could not be stopped cleanly: ${late.message}\n`));
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, DRAIN_MS).unref())]);
    throw error;
  }
}

/** Prints that Berth is ready, and commands to try. Without a key the API of a listener that requires one cannot be used, so only the first line is printed. */
async function greet(berth: Berth, options: ManagerOptions, key: string | null): Promise<void> {
  const mayAsk = !options.apiKeys || key !== null;
  const api = new ManageClient(berth.manageUrl, key);
  if (options.example && mayAsk) await deployExample(api);
  if (mayAsk) await prewarmed(api);
  const invoke = berth.invokeUrl ? `invoke ${berth.invokeUrl} ` : "";
  process.stdout.write(`berth ready: ${invoke}manage ${berth.manageUrl}\n`);
  if (!mayAsk) return;
  const name = await nameToTry(api);
  if (name && invoke) {
    process.stdout.write(`  curl '${berth.invokeUrl}/function/${name}'\n`);
    process.stdout.write(`  curl -d '{"name":"Ada"}' ${berth.invokeUrl}/function/${name}\n`);
  }
  process.stdout.write(`  curl ${berth.manageUrl}/v1/functions\n`);
}

/** A function to suggest for a first curl; undefined if there are many: listing them all would delay the first invocations. */
async function nameToTry(api: ManageClient): Promise<string | undefined> {
  if ((await countOf(api)) > MANY) return undefined;
  const { items } = await api.get<{ items: { name: string }[] }>("/v1/functions");
  return items.find((item) => item.name === "hello")?.name ?? items[0]?.name;
}

async function countOf(api: ManageClient): Promise<number> {
  return (await api.get<{ functions: number }>("/v1/status")).functions;
}

async function startManager(options: ManagerOptions, log: pino.Logger, telemetry: Telemetry, stop: AbortSignal): Promise<PoolManager> {
  const config = {
    stateDir: resolve(options.stateDir),
    host: options.host,
    port: options.apiPort,
    poolSize: options.poolSize,
    poolMax: options.poolMax,
    maxCodeBytes: options.maxCode,
    retention: { unusedMs: options.keepUnused * HOUR_MS, ...options.retention },
    platform: platformConfig(options, options.stateDir),
    invokeUrl: options.invokeUrl ?? null,
    redis: options.redis ? { url: options.redis, namespace: options.namespace } : null,
    version: packageVersion(),
    functionLines: telemetry.functionLines,
    advertise: options.advertise ?? null,
    keys: keysOf(options),
    onLost: options.onLost ?? stopAtOnce,
  };
  return startPoolManager(config, packageRoot(), log, stop).catch((error) => {
    if (error instanceof FunctionNodeError) throw new CliError("NODE_UNUSABLE", error.message, "name Node 20.19 or newer, or unset BERTH_NODE", EXIT.error);
    if (error instanceof StateDirError) throw new CliError("STATE_DIR", error.message, "use --state-dir or BERTH_STATE_DIR", EXIT.error);
    if (error instanceof KubeError) throw new CliError("CLUSTER", error.message, "berth doctor --platform kruise shows what is missing", EXIT.unreachable);
    if (error instanceof RegistryError) throw new CliError("REGISTRY", error.message, "berth doctor --platform kruise shows what is missing", EXIT.unreachable);
    if (concerns(error, config.stateDir))
      throw new CliError("STATE_DIR", error.message, "move away what is named, or use --state-dir or BERTH_STATE_DIR", EXIT.error);
    throw portError(error, "--api-port", options.apiPort);
  });
}

/** Whether a file operation in this directory has failed, such as one on a file in the place of a directory. */
function concerns({ path }: NodeJS.ErrnoException, dir: string): boolean {
  return path !== undefined && !relative(dir, path).startsWith("..");
}

/** Ends the process at once: another one has taken over its work. */
function stopAtOnce(message: string): void {
  process.stderr.write(`berth stops: ${message}\n`);
  process.exit(EXIT.error);
}

/** Deploys the example if there are no functions, so that a first curl has one to invoke. */
async function deployExample(api: ManageClient): Promise<void> {
  if ((await countOf(api)) > 0) return;
  // Imported here, since images contain no bundler; the example is for a developer's machine.
  const { bundle } = await import("./bundle/bundle.ts");
  const code = await api.upload(await bundle(join(packageRoot(), "examples/hello")));
  await api.call("PUT", "/v1/functions/hello", { code });
}

async function prewarmed(api: ManageClient): Promise<void> {
  const deadline = performance.now() + PREWARM_MS;
  while (performance.now() < deadline) {
    const { items } = await api.get<{ items: { size: number; used: boolean; instances: Record<string, number> }[] }>("/v1/pools");
    if (items.every((pool) => pool.size === 0 || !pool.used || (pool.instances.prewarmed ?? 0) + (pool.instances.warm ?? 0) > 0)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Starts a Berth in a temporary directory, for development, benchmarks and tests. */
export async function startTemporary(options: Partial<UpOptions> = {}, withRouter = true): Promise<Berth> {
  const stateDir = options.stateDir ?? temporaryDirectory("berth-");
  const defaults = {
    host: "127.0.0.1",
    routerPort: 0,
    apiPort: 0,
    poolSize: 3,
    poolMax: null,
    maxBody: 16 * 1024 * 1024,
    maxCode: 64 * 1024 * 1024,
    keepUnused: 24,
  };
  const platform = { platform: "local", namespace: "berth", loadPath: "inline", instanceMemory: "256Mi", instanceDisk: "1Gi" } as const;
  const all = { ...defaults, ...platform, stateDir, logLevel: "silent", example: false, ...options };
  const berth = await startBerth(all, withRouter ? all : null, new AbortController().signal);
  return {
    ...berth,
    async close() {
      await berth.close();
      if (!options.stateDir) removeDirectory(stateDir);
    },
  };
}
