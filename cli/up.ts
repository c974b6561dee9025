import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import closeWithGrace from "close-with-grace";
import { pino } from "pino";
import { StateDirError } from "../pool-manager/functions/lock.ts";
import { type PoolManager, startPoolManager } from "../pool-manager/start.ts";
import { type Router, startRouter } from "../router/start.ts";
import { Api } from "./api.ts";
import { bundle } from "./bundle.ts";
import { CliError, EXIT } from "./errors.ts";
import { packageRoot, packageVersion } from "./root.ts";

export interface UpOptions {
  routerPort: number;
  apiPort: number;
  stateDir: string;
  poolSize: number;
  poolMax: number | null;
  maxBody: number;
  maxCode: number;
  logLevel: string;
  example: boolean;
}

/** Running invocations get this long when berth stops. Milliseconds. */
const DRAIN_MS = 10_000;
/** A pool that is not ready by then does not hold up the start. Milliseconds. */
const PREWARM_MS = 10_000;
const HOST = "127.0.0.1";

export interface Berth {
  invokeUrl: string;
  manageUrl: string;
  close(): Promise<void>;
}

/** Pool manager and router in one process. */
export async function startBerth(options: UpOptions): Promise<Berth> {
  const log = pino({ level: options.logLevel, base: undefined }, pino.destination({ dest: 2, sync: true }));
  const manager = await startManager(options, log);
  let router: Router;
  try {
    const config = { host: HOST, port: options.routerPort, maxBodyBytes: options.maxBody, drainMs: DRAIN_MS };
    router = await startRouter(config, manager.link);
  } catch (error) {
    await manager.close();
    throw portError(error, "--router-port", options.routerPort);
  }
  manager.attachRouter(router);
  const close = async () => {
    await router.close();
    await manager.close();
  };
  return { invokeUrl: router.url, manageUrl: manager.url, close };
}

/** The command: runs until it is told to stop. */
export async function up(options: UpOptions): Promise<void> {
  const berth = await startBerth(options);
  closeWithGrace({ delay: DRAIN_MS + 5000, logger: false }, async ({ err }) => {
    if (err) process.stderr.write(`berth stops: ${err.stack ?? err.message}\n`);
    else process.stderr.write("berth stops: running invocations may finish\n");
    await berth.close();
    if (err) process.exitCode = EXIT.error;
  });
  const api = new Api(berth.manageUrl);
  if (options.example) await deployExample(api);
  await prewarmed(api);
  process.stdout.write(`berth ready: invoke ${berth.invokeUrl} manage ${berth.manageUrl}\n`);
  const { items } = await api.get<{ items: { name: string }[] }>("/v1/functions");
  const name = items.find((item) => item.name === "hello")?.name ?? items[0]?.name;
  if (name) {
    process.stdout.write(`  curl '${berth.invokeUrl}/function/${name}'\n`);
    process.stdout.write(`  curl -d '{"name":"Ada"}' ${berth.invokeUrl}/function/${name}\n`);
  }
  process.stdout.write(`  curl ${berth.manageUrl}/v1/functions\n`);
}

async function startManager(options: UpOptions, log: pino.Logger): Promise<PoolManager> {
  const config = {
    stateDir: resolve(options.stateDir),
    host: HOST,
    port: options.apiPort,
    poolSize: options.poolSize,
    poolMax: options.poolMax,
    maxCodeBytes: options.maxCode,
    version: packageVersion(),
  };
  return startPoolManager(config, packageRoot(), log).catch((error) => {
    if (error instanceof StateDirError) throw new CliError("STATE_DIR", error.message, "use --state-dir or BERTH_STATE_DIR", EXIT.error);
    throw portError(error, "--api-port", options.apiPort);
  });
}

function portError(error: unknown, flag: string, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE")
    return new CliError("PORT_IN_USE", `port ${port} is in use by another program`, `stop it, or choose another with ${flag} (0: any free one)`);
  if (code === "EACCES") return new CliError("PORT_FORBIDDEN", `port ${port} needs more rights`, `choose one above 1023 with ${flag}`);
  return error;
}

/** The first function, so that the first curl has something to greet. */
async function deployExample(api: Api): Promise<void> {
  const { items } = await api.get<{ items: unknown[] }>("/v1/functions");
  if (items.length > 0) return;
  const code = (await api.call("POST", "/v1/code", await bundle(join(packageRoot(), "examples/hello")))) as { digest: string };
  await api.call("PUT", "/v1/functions/hello", { code: code.digest });
}

async function prewarmed(api: Api): Promise<void> {
  const deadline = Date.now() + PREWARM_MS;
  while (Date.now() < deadline) {
    const { items } = await api.get<{ items: { size: number; instances: Record<string, number> }[] }>("/v1/pools");
    if (items.every((pool) => pool.size === 0 || (pool.instances.prewarmed ?? 0) + (pool.instances.warm ?? 0) > 0)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A Berth of its own in a temporary directory, for benchmarks and tests. */
export async function startTemporary(options: Partial<UpOptions> = {}): Promise<Berth> {
  const stateDir = await mkdtemp(join(tmpdir(), "berth-"));
  const defaults = { routerPort: 0, apiPort: 0, poolSize: 3, poolMax: null, maxBody: 16 * 1024 * 1024, maxCode: 64 * 1024 * 1024 };
  const berth = await startBerth({ ...defaults, stateDir, logLevel: "silent", example: false, ...options });
  return {
    ...berth,
    async close() {
      await berth.close();
      if (!options.stateDir) await rm(stateDir, { recursive: true, force: true });
    },
  };
}
