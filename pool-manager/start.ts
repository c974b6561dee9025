import { join } from "node:path";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { Front, starting } from "./api/front.ts";
import { RouterLinks } from "./api/link.ts";
import { buildApi } from "./api/server.ts";
import type { Standby } from "./api/standby.ts";
import type { PoolManagerLink } from "./client/contract.ts";
import { TableSnapshots } from "./client/snapshot.ts";
import { defaultPace, defaultPools, type ManagerConfig } from "./config.ts";
import { ManagerError } from "./errors.ts";
import type { FunctionRecord } from "./functions/function.ts";
import { StateDirLock } from "./functions/lock.ts";
import { FunctionLogs } from "./functions/logs.ts";
import { namedImages, needed } from "./functions/references.ts";
import { type BuildImage, FunctionRegistry } from "./functions/registry.ts";
import { byRelease } from "./functions/rollout.ts";
import { CodeImages, ENTRY_PROGRAM } from "./images/code-images.ts";
import { OciLayout } from "./images/layout.ts";
import { ManagerMetrics } from "./metrics.ts";
import { createPlatform } from "./platform/create.ts";
import type { PreparedCode } from "./platform/platform.ts";
import { realClock } from "./pool/clock.ts";
import type { PoolEvent } from "./pool/events.ts";
import { Pools } from "./pool/pools.ts";
import { Reconciler } from "./pool/reconciler.ts";
import { fileStores, resourceStores } from "./stores.ts";

export interface PoolManager {
  /** Address of the manage API. */
  url: string;
  link: PoolManagerLink;
  /** Embedded: the router whose address and metrics the API shows. */
  attachRouter(router: { url: string; registry: Registry }): void;
  /** No further load order; every instance ends. */
  close(): Promise<void>;
}

/** Events that somebody should see, and those that say that it is over. */
const LEVELS: Partial<Record<PoolEvent["type"], "warn" | "info">> = {
  "instance.load-failed": "warn",
  "instance.crashed": "warn",
  "instance.swap-failed": "warn",
  "instance.obstructed": "warn",
  "action.failed": "warn",
  "action.recovered": "info",
  "budget.exhausted": "warn",
  "observation.doubted": "warn",
  "rollout.stopped": "warn",
};

/** Blobs that nothing needs are collected this long after a change. */
const COLLECT_MS = 200;
/** While a pool is paused nothing is removed; looked at again after this. Milliseconds. */
const COLLECT_PAUSED_MS = 5000;

/**
 * Wires a pool manager on its platform and starts it; on a cluster it first waits until it leads, and answers in the
 * leader's name meanwhile, until `stop`: then it never leads. Throws `StateDirError`, `KubeError`, `RegistryError`,
 * EADDRINUSE, or the reason of `stop`.
 */
export async function startPoolManager(config: ManagerConfig, root: string, log: Logger, stop: AbortSignal): Promise<PoolManager> {
  const lock = await StateDirLock.acquire(config.stateDir);
  const metrics = new ManagerMetrics();
  const undo: (() => unknown)[] = [() => lock.release()];
  try {
    const standby = config.platform.kind === "kruise" ? await openStandby(metrics, config, log) : null;
    if (standby) undo.unshift(() => standby.app.close());
    const front = await Front.listen(config.host, config.port, standby ? (req, res) => standby.app.routing(req, res) : starting);
    undo.unshift(() => front.close());
    return await lead(config, root, log, { metrics, standby, front, undo, stop });
  } catch (error) {
    for (const step of undo) await step();
    throw error;
  }
}

/** Who leads alone needs none of what it is made of. */
async function openStandby(metrics: ManagerMetrics, config: ManagerConfig, log: Logger): Promise<Standby> {
  const { Standby } = await import("./api/standby.ts");
  const standby = new Standby(metrics.registry, config.keys, log);
  await standby.app.ready();
  return standby;
}

interface Prepared {
  metrics: ManagerMetrics;
  /** Null: nobody else could lead. */
  standby: Standby | null;
  front: Front;
  /** What is to be ended, the latest first. */
  undo: (() => unknown)[];
  stop: AbortSignal;
}

async function lead(config: ManagerConfig, root: string, log: Logger, { metrics, standby, front, undo, stop }: Prepared): Promise<PoolManager> {
  const layout = new OciLayout(join(config.stateDir, "images"));
  const images = new CodeImages(layout, join(root, ENTRY_PROGRAM));
  await images.open();
  const logs = new FunctionLogs();
  const url = `http://${config.advertise ?? config.host}:${front.port}`;
  const { platform, runtimes, term, cluster } = await createPlatform(config.platform, {
    root,
    stateDir: config.stateDir,
    blob: (digest: string) => layout.get(digest),
    now: realClock.now,
    onApiWrite: (purpose: string) => metrics.apiWrite(purpose),
    url,
    onLeader: (holder, leaderUrl) => {
      if (!standby) return;
      if (leaderUrl !== standby.leader) log.warn({ holder, url: leaderUrl }, "another pool manager leads");
      standby.leader = holder && leaderUrl;
    },
    onLost: (message) => {
      log.error(message);
      config.onLost(message);
    },
    stop,
  });
  metrics.leads(term);
  undo.unshift(() => platform.close());
  if (cluster) layout.remote = (digest) => cluster.code.fetch(digest);
  const known = (digest: string) => functions.codeByDigest(digest);
  const stores = cluster ? await resourceStores(cluster.kube, term, runtimes, images, known) : fileStores(config.stateDir);
  undo.unshift(() => stores.close());
  const build: BuildImage = async (...of) => {
    const image = await images.build(...of);
    // What is acknowledged survives this machine: another pool manager has to find it.
    await cluster?.code.publish(image).catch((error: Error) => {
      throw new ManagerError("STORE_FAILED", `the code could not be pushed: ${error.message}`);
    });
    return image;
  };
  const functions: FunctionRegistry = new FunctionRegistry(stores.functions, build, (uid, name) => changed(uid, name));
  const pools = new Pools(stores.pools, () => reconciler.poke());
  await Promise.all([functions.load(), pools.load(defaultPools(config, runtimes))]);

  const listeners = new Set<(event: PoolEvent & { time: string }) => void>();
  const emit = (event: PoolEvent) => {
    const named = nameFunction(event, functions);
    metrics.onEvent(named);
    // A further try of what fails already is counted, and no news.
    if (named.type === "action.failed" && named.again) return;
    if (listeners.size > 0) for (const listener of listeners) listener({ time: new Date().toISOString(), ...named });
    log[LEVELS[named.type] ?? "debug"](named);
  };
  const reconciler = new Reconciler({
    platform,
    functions,
    pools,
    layer: (digest) => images.layer(digest),
    clock: realClock,
    pace: defaultPace(config.platform),
    term,
    onEvent: emit,
  });

  let collecting: NodeJS.Timeout | null = null;
  const collect = () => {
    collecting = null;
    if (pools.list().some(({ paused }) => paused)) {
      collecting = setTimeout(collect, COLLECT_PAUSED_MS);
      return;
    }
    void functions
      .exclusively(async () => {
        await images.collect(namedImages(functions.list()));
        platform.retainCode(needed(functions.list()));
      })
      .catch((error: Error) => log.error({ err: error }, "unreferenced code could not be collected"));
  };
  const prepare = (record: FunctionRecord) => {
    const { uid: functionUid, runtime: pool } = record;
    const codes = byRelease(record).map(async ({ id: revision, image, layer: digest, settings: { entry } }): Promise<PreparedCode> => {
      return { functionUid, pool, revision, image, digest, entry, layer: await images.layer(digest) };
    });
    void Promise.all(codes)
      .then((all) => {
        if (functions.byUid(functionUid) === record) platform.prepareCode(all as [PreparedCode, ...PreparedCode[]]);
      })
      .catch((error: Error) => log.error({ err: error, function: record.name }, "code could not be prepared"));
  };
  function changed(uid: string, name: string): void {
    const record = functions.byUid(uid);
    if (record) {
      emit({ type: "function.changed", function: uid, revision: record.active });
      prepare(record);
    } else {
      emit({ type: "function.deleted", function: name });
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

  const links = new RouterLinks(reconciler, () => ready);
  const snapshots = config.redis ? new TableSnapshots(config.redis.url, config.redis.namespace) : null;
  let endSnapshots = () => {};
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
        const states = reconciler.reports.statesOf(uid);
        return { warm: states.filter((s) => s === "warm").length, starting: states.filter((s) => s === "specializing").length };
      },
      doubtOf: (pool) => reconciler.doubtOf(pool),
      problemsOf: (pool) => reconciler.reports.problemsOf(pool),
      problemsOfFunction: (record) => reconciler.reports.problemsOfFunction(record),
      onEvent: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      metrics: async () => {
        metrics.observe(reconciler.view());
        return { registries: [metrics.registry, ...(router ? [router.registry] : [])] };
      },
      routerUrl: () => router?.url ?? null,
      keys: config.keys,
      ready: () => ready,
      links,
    },
    log,
  );
  await api.ready();
  undo.unshift(async () => {
    ready = false;
    front.stop();
    reconciler.close();
    links.close();
    endSnapshots();
    snapshots?.close();
    if (collecting) clearTimeout(collecting);
    await api.close();
    await functions.exclusively(async () => {});
  });
  front.handOver((req, res) => api.routing(req, res));
  await reconciler.start();
  for (const record of functions.list()) prepare(record);
  ready = true;
  if (snapshots) endSnapshots = snapshots.keep(reconciler, () => links.peers);
  await stores.follow(functions, pools, reconciler);

  return {
    url: `http://${config.host}:${front.port}`,
    link: reconciler,
    attachRouter: (attached) => {
      router = attached;
    },
    async close() {
      for (const step of undo) await step();
    },
  };
}

/** Users know functions by name. */
function nameFunction(event: PoolEvent, functions: FunctionRegistry): PoolEvent {
  if (!("function" in event) || event.function === null) return event;
  return { ...event, function: functions.byUid(event.function)?.name ?? event.function };
}
