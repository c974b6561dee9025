import { join } from "node:path";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { viewsOf } from "./api/context-views.ts";
import type { ApiListener } from "./api/listener.ts";
import { RouterLinks } from "./api/routes/router-links.ts";
import { buildApi } from "./api/server.ts";
import type { Standby } from "./api/standby.ts";
import type { CleanupStack } from "./async/cleanup-stack.ts";
import { realClock } from "./async/clock.ts";
import { httpUrl } from "./client/address.ts";
import type { PoolManagerLink } from "./client/contract.ts";
import { TableSnapshots } from "./client/snapshot.ts";
import { CodeCollector } from "./code-collector.ts";
import { CodePreparer } from "./code-preparer.ts";
import { capacityOf, defaultPace, defaultPools, type ManagerConfig } from "./config.ts";
import { ManagerError } from "./errors.ts";
import { EventLog } from "./event-log.ts";
import { FunctionLogs } from "./functions/logs.ts";
import { FunctionRegistry } from "./functions/registry.ts";
import { Retention } from "./functions/retention.ts";
import type { BuildImage } from "./functions/revisions.ts";
import { CodeImages, ENTRY_PROGRAM } from "./images/code-images.ts";
import { OciLayout } from "./images/layout.ts";
import { withRetries } from "./kubernetes/retry.ts";
import type { ManagerMetrics } from "./metrics.ts";
import { createPlatform } from "./platform/create.ts";
import type { PoolEvent } from "./pool/events.ts";
import { Pools } from "./pool/pools.ts";
import { Reconciler } from "./pool/reconciler.ts";
import type { StartDeadline } from "./start-deadline.ts";
import { fileStores, resourceStores } from "./stores/stores.ts";

export interface PoolManager {
  /** Address of the manage API. */
  url: string;
  link: PoolManagerLink;
  /** Embedded: the router whose address and metrics the API shows. */
  attachRouter(router: { url: string; registry: Registry }): void;
  /** No further load order; every instance ends. */
  close(): Promise<void>;
}

/** What a start has opened before it leads. */
export interface Prepared {
  metrics: ManagerMetrics;
  /** Null: nobody else could lead. */
  standby: Standby | null;
  front: ApiListener;
  undo: CleanupStack;
  deadline: StartDeadline;
}

export async function lead(config: ManagerConfig, root: string, log: Logger, { metrics, standby, front, undo, deadline }: Prepared): Promise<PoolManager> {
  const stop = deadline.signal;
  // Nobody can listen before the platform and the stores are there.
  let tell: (event: PoolEvent) => void = () => {};
  const onTrouble = (step: string, message: string | null) => {
    metrics.trouble(step, message !== null);
    tell({ type: "cluster.trouble", step, message });
    if (message === null) log.warn({ step }, "works again");
    else log.warn({ step }, message);
  };
  const logs = new FunctionLogs();
  const url = httpUrl(config.advertise ?? config.host, front.port);
  const { layout, images, platform, runtimes, term, cluster } = await openPlatform(config, root, log, { metrics, standby, url, onTrouble, stop });
  undo.add(() => platform.close());
  if (cluster) deadline.begin();
  stop.throwIfAborted();
  metrics.leads(term);
  if (cluster) layout.remote = (digest) => cluster.code.fetch(digest);
  const known = (digest: string) => functions.codeByDigest(digest);
  const retry = (step: string) => ({ stop, onTrouble: (message: string | null) => onTrouble(step, message) });
  const blob = (digest: string) => layout.get(digest);
  const stores = cluster
    ? await withRetries(
        () => resourceStores({ kube: cluster.kube, term, runtimes, images, known, blob, log, patience: retry("resources") }),
        retry("definitions"),
      )
    : fileStores(config.stateDir, log);
  undo.add(() => stores.close());
  const build: BuildImage = async (...of) => {
    const image = await images.build(...of);
    // What is acknowledged survives this machine: another pool manager has to find it.
    await cluster?.code.publish(image).catch((error: Error) => {
      throw new ManagerError("STORE_FAILED", `the code could not be pushed: ${error.message}`);
    });
    return image;
  };
  const retention = new Retention(config.retention, realClock.now);
  const functions: FunctionRegistry = new FunctionRegistry(stores.functions, build, (uid, name) => changed(uid, name), retention);
  const pools = new Pools(stores.pools, () => reconciler.poke(), capacityOf(config));
  await Promise.all([functions.load(), pools.load(defaultPools(config, runtimes))]);

  const events = new EventLog({
    nameOf: (uid) => functions.byUid(uid)?.name,
    count: (event) => metrics.onEvent(event),
    report: (event) => stores.tell(event),
    log,
  });
  const emit = (event: PoolEvent) => events.emit(event);
  tell = emit;
  realClock.onGap((ms) => emit({ type: "manager.stalled", ms: Math.round(ms) }));
  stores.onNotice = (notice) => emit({ type: "store.notice", ...notice });
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

  const isPaused = () => pools.list().some(({ paused }) => paused);
  const collection = new CodeCollector({ functions, images, platform, stores, isPaused, onEvent: emit, log });
  const preparation = new CodePreparer({ functions, layer: (digest) => images.layer(digest), platform, log });
  function changed(uid: string, name: string): void {
    const record = functions.byUid(uid);
    if (record) {
      emit({ type: "function.changed", function: uid, revision: record.active });
      void preparation.one(record);
    } else {
      emit({ type: "function.deleted", function: name });
      logs.forget(uid);
    }
    reconciler.functionChanged(uid);
    collection.changed();
  }

  platform.onLog((uid, line) => {
    const owner = platform.observe().instances.get(uid)?.echo?.functionUid;
    if (owner) logs.add(owner, uid, line);
    else log.debug({ instance: uid, line }, "output of an instance without function");
  });

  const links = new RouterLinks(reconciler, () => ready, realClock.now);
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
      onEvent: (listener) => events.follow(listener),
      metrics: async () => {
        metrics.observe(reconciler.view());
        return { registries: [metrics.registry, ...(router ? [router.registry] : [])] };
      },
      ...viewsOf(reconciler, platform, functions),
      routerUrl: () => router?.url ?? null,
      keys: config.keys,
      ready: () => ready,
      failed: (code) => metrics.requestFailed(code),
      links,
    },
    log,
  );
  await api.ready();
  undo.add(async () => {
    ready = false;
    front.stop();
    reconciler.close();
    links.close();
    endSnapshots();
    snapshots?.close();
    collection.close();
    preparation.close();
    await api.close();
    await functions.exclusively(async () => {});
  });
  stop.throwIfAborted();
  front.handOver((req, res) => api.routing(req, res));
  await reconciler.start();
  stop.throwIfAborted();
  void preparation.all(functions.list());
  ready = true;
  collection.start();
  if (snapshots) endSnapshots = snapshots.keep(reconciler, () => links.peers, url);
  await stores.follow(functions, pools, reconciler);
  for (const message of pools.capped) {
    log.warn(message);
    emit({ type: "store.notice", topic: "capped", kind: "Pool", count: 1, message });
  }

  return {
    url: httpUrl(config.host, front.port),
    link: reconciler,
    attachRouter: (attached) => {
      router = attached;
    },
    async close() {
      await undo.all();
    },
  };
}

interface Opening {
  metrics: ManagerMetrics;
  standby: Standby | null;
  /** Address of the manage API that other pool managers are told. */
  url: string;
  onTrouble(step: string, message: string | null): void;
  stop: AbortSignal;
}

/** Opens the code images and the platform; on a cluster it first waits until this pool manager leads. */
async function openPlatform(config: ManagerConfig, root: string, log: Logger, { metrics, standby, url, onTrouble, stop }: Opening) {
  const layout = new OciLayout(join(config.stateDir, "images"));
  const images = new CodeImages(layout, join(root, ENTRY_PROGRAM));
  await images.open();
  const created = await createPlatform(config.platform, {
    root,
    stateDir: config.stateDir,
    blob: (digest: string) => layout.get(digest),
    now: realClock.now,
    onApiWrite: (purpose: string) => metrics.apiWrite(purpose),
    onApiWriteFailed: (purpose: string, reason: string) => metrics.apiWriteFailed(purpose, reason),
    url,
    onLeader: (holder, leaderUrl) => {
      if (!standby) return;
      const before = standby.leader;
      standby.follow(holder && leaderUrl);
      if (standby.leader !== before)
        log.warn({ holder, url: leaderUrl }, standby.leader ? "another pool manager leads" : "no pool manager leads that could be asked");
    },
    onTrouble,
    onLost: (message) => {
      log.error(message);
      config.onLost(message);
    },
    stop,
  });
  return { layout, images, ...created };
}
