import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { buildApi } from "./api/server.ts";
import type { PoolManagerLink } from "./client/contract.ts";
import { defaultPace, defaultPools, type ManagerConfig } from "./config.ts";
import { FileStore } from "./functions/file-store.ts";
import { activeRevision, type FunctionRecord } from "./functions/function.ts";
import { StateDirLock } from "./functions/lock.ts";
import { FunctionLogs } from "./functions/logs.ts";
import { FunctionRegistry } from "./functions/registry.ts";
import { CodeImages } from "./images/code-images.ts";
import { OciLayout } from "./images/layout.ts";
import { ManagerMetrics } from "./metrics.ts";
import { instanceDir } from "./platform/local/instance-dir.ts";
import { LocalPlatform } from "./platform/local/local.ts";
import type { Platform } from "./platform/platform.ts";
import { realClock } from "./pool/clock.ts";
import type { PoolEvent } from "./pool/events.ts";
import { Pools } from "./pool/pools.ts";
import { Reconciler } from "./pool/reconciler.ts";

export interface PoolManager {
  /** Address of the manage API. */
  url: string;
  link: PoolManagerLink;
  functions: FunctionRegistry;
  /** Embedded: the router whose address and metrics the API shows. */
  attachRouter(router: { url: string; registry: Registry }): void;
  /** No further load order; every instance ends. */
  close(): Promise<void>;
}

/** Blobs that nothing needs are collected this long after a change. */
const COLLECT_MS = 200;

/** Wires a pool manager on the local platform and starts it. Throws `StateDirError`, or EADDRINUSE. */
export async function startPoolManager(config: ManagerConfig, root: string, log: Logger): Promise<PoolManager> {
  const lock = await StateDirLock.acquire(config.stateDir);
  const supervisors = { node: join(root, "runtime-images/node/dist/supervisor.cjs") };
  for (const program of Object.values(supervisors)) {
    if (!existsSync(program)) throw new Error(`${program} is missing: run npm run build`);
  }
  const runtimes = Object.keys(supervisors);
  const images = new CodeImages(new OciLayout(join(config.stateDir, "images")), join(root, "runtime-images/entry/entry-linux-amd64"));
  await images.open();
  const logs = new FunctionLogs();
  const metrics = new ManagerMetrics();
  const platform: Platform = new LocalPlatform({
    dir: instanceDir(config.stateDir),
    codeDir: join(config.stateDir, "code"),
    compiler: join(root, "runtime-images/node/dist/compile.cjs"),
    runtimes: supervisors,
    now: realClock.now,
  });
  const store = new FileStore(config.stateDir);
  const build = images.build.bind(images);
  const functions: FunctionRegistry = new FunctionRegistry(store, build, (uid) => changed(uid));
  const pools = new Pools(config.stateDir, () => reconciler.poke());
  await Promise.all([functions.load(), pools.load(defaultPools(config, runtimes))]);

  const listeners = new Set<(event: PoolEvent & { time: string }) => void>();
  const emit = (event: PoolEvent) => {
    const named = nameFunction(event, functions);
    metrics.onEvent(named);
    if (listeners.size > 0) for (const listener of listeners) listener({ time: new Date().toISOString(), ...named });
    if (named.type === "instance.load-failed" || named.type === "instance.crashed" || named.type === "budget.exhausted") log.warn(named);
    else log.debug(named);
  };
  const reconciler = new Reconciler({
    platform,
    functions,
    pools,
    layer: (digest) => images.layer(digest),
    clock: realClock,
    pace: defaultPace(),
    term: 1,
    onEvent: emit,
  });

  let collecting: NodeJS.Timeout | null = null;
  const collect = () => {
    collecting = null;
    void functions
      .exclusively(async () => {
        await images.collect(functions.referencedImages());
        platform.retainCode(new Set(functions.list().flatMap(({ revisions }) => revisions.map(({ layer }) => layer))));
      })
      .catch((error: Error) => log.error({ err: error }, "unreferenced code could not be collected"));
  };
  const prepare = (record: FunctionRecord) => {
    const { layer, settings } = activeRevision(record);
    void images
      .layer(layer)
      .then((data) => platform.prepareCode({ digest: layer, entry: settings.entry, layer: data }))
      .catch((error: Error) => log.error({ err: error, function: record.name }, "code could not be prepared"));
  };
  function changed(uid: string): void {
    const record = functions.byUid(uid);
    if (record) {
      emit({ type: "function.changed", function: uid, revision: record.active });
      prepare(record);
    } else {
      emit({ type: "function.deleted", function: uid });
      logs.forget(uid);
    }
    reconciler.functionChanged(uid);
    collecting ??= setTimeout(collect, COLLECT_MS);
  }
  collecting = setTimeout(collect, COLLECT_MS);

  platform.onLog((uid, line) => {
    const owner = platform.observe().instances.get(uid)?.echo?.functionUid;
    if (owner) logs.add(owner, uid, line);
    else log.debug({ instance: uid, line }, "output of an instance without function");
  });

  let router: { url: string; registry: Registry } | null = null;
  let ready = false;
  const api = await buildApi(
    {
      version: config.version,
      platform: platform.kind,
      runtimes,
      functions,
      pools,
      images,
      logs,
      maxCodeBytes: config.maxCodeBytes,
      instances: () => {
        const { instances, now } = reconciler.view();
        const addressOf = (uid: string) => {
          const found = platform.observe().instances.get(uid);
          return found?.echo?.port ? `${found.host}:${found.echo.port}` : null;
        };
        return { views: [...instances], addressOf, now };
      },
      countInstances: (uid) => {
        const states = reconciler.statesOf(uid);
        return { warm: states.filter((s) => s === "warm").length, starting: states.filter((s) => s === "specializing").length };
      },
      onEvent: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      metrics: async () => {
        metrics.observe(reconciler.view());
        return { registries: [metrics.registry, ...(router ? [router.registry] : [])] };
      },
      routerUrl: () => router?.url ?? null,
      ready: () => ready,
    },
    log,
  );
  try {
    await api.listen({ host: config.host, port: config.port });
  } catch (error) {
    lock.release();
    throw error;
  }
  await reconciler.start();
  for (const record of functions.list()) prepare(record);
  ready = true;
  const address = api.server.address() as { port: number };

  return {
    url: `http://${config.host}:${address.port}`,
    link: reconciler,
    functions,
    attachRouter: (attached) => {
      router = attached;
    },
    async close() {
      ready = false;
      reconciler.close();
      if (collecting) clearTimeout(collecting);
      await api.close();
      await platform.close();
      await functions.exclusively(async () => {});
      lock.release();
    },
  };
}

/** Users know functions by name. */
function nameFunction(event: PoolEvent, functions: FunctionRegistry): PoolEvent {
  if (!("function" in event) || event.function === null) return event;
  return { ...event, function: functions.byUid(event.function)?.name ?? event.function };
}
