import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { ApiListener } from "./api/listener.ts";
import { RouterLinks } from "./api/routes/router-links.ts";
import type { Standby } from "./api/standby.ts";
import type { CleanupStack } from "./async/cleanup-stack.ts";
import { realClock } from "./async/clock.ts";
import { httpUrl } from "./client/address.ts";
import type { PoolManagerLink } from "./client/contract.ts";
import { TableSnapshots } from "./client/snapshot.ts";
import { CodeCollector } from "./code-collector.ts";
import { CodePreparer } from "./code-preparer.ts";
import { defaultPace, INSTANCE_MB, type ManagerConfig } from "./config.ts";
import { EventLog } from "./event-log.ts";
import { FunctionLogs } from "./functions/logs.ts";
import type { ManagerMetrics } from "./metrics.ts";
import { type ApiParts, openApi, type Serving } from "./open-api.ts";
import { type OpenPlatform, type OpenState, openPlatform, openState } from "./opening.ts";
import type { Platform } from "./platform/platform.ts";
import type { PoolEvent } from "./pool/events.ts";
import { Reconciler } from "./pool/reconciler.ts";
import { openSizing } from "./pool/sizing-parts.ts";
import { type AttachedRouter, audienceOf } from "./router-access.ts";
import { Schedules } from "./schedules/schedules.ts";
import type { StartDeadline } from "./start-deadline.ts";
import { FunctionStatistics } from "./statistics/function-statistics.ts";

export interface PoolManager {
  /** Address of the manage API. */
  url: string;
  link: PoolManagerLink;
  /** The registries of what /metrics shows, up to date. */
  registries(): Promise<readonly Registry[]>;
  /** Embedded: the router whose address and metrics the API shows. */
  attachRouter(router: AttachedRouter): void;
  /** No further load order; every instance ends. */
  close(): Promise<void>;
}

/** The parts that a start has opened before it leads. */
export interface Prepared {
  metrics: ManagerMetrics;
  /** Null: nobody else could lead. */
  standby: Standby | null;
  front: ApiListener;
  undo: CleanupStack;
  deadline: StartDeadline;
}

/** Opens platform and state, starts the reconciler, and serves the manage API. On a cluster it first waits until this pool manager leads. */
export async function lead(config: ManagerConfig, root: string, log: Logger, prepared: Prepared): Promise<PoolManager> {
  const { metrics, standby, front, undo, deadline } = prepared;
  const stop = deadline.signal;
  const events = new EventLog({ count: (event) => metrics.onEvent(event), log });
  const onTrouble = troubleReport(metrics, events, log);
  const url = httpUrl(config.advertise ?? config.host, front.port);
  const opened = await openPlatform(config, root, { metrics, standby, url, log, onTrouble, stop });
  undo.add(() => opened.platform.close());
  if (opened.cluster) deadline.begin();
  stop.throwIfAborted();
  metrics.leads(opened.term);

  const schedules = new Schedules();
  const state = await openState(config, opened, {
    events,
    schedules,
    log,
    undo,
    onTrouble,
    stop,
    functionChanged: (uid, name) => running.functionChanged(uid, name),
    poolsChanged: () => {
      sizing.sizer.sizeAll();
      running.reconciler.poke();
    },
  });
  const { stores, functions, pools } = state;
  events.open({ nameOf: (uid) => functions.byUid(uid)?.name, report: (event) => stores.tell(event) });
  realClock.onGap((ms) => events.emit({ type: "manager.stalled", ms: Math.round(ms) }));
  const logs = new FunctionLogs((uid, entry) => config.functionLines?.line(functions.byUid(uid)?.name ?? uid, entry));
  const sizing = await openSizing({
    pools,
    functions,
    schedules,
    store: stores.history,
    pace: defaultPace(config.platform),
    instanceMb: INSTANCE_MB,
    onEvent: events.emit,
    onTrouble: (message) => onTrouble("history", message),
  });
  undo.add(() => sizing.close());
  const running = runningParts(config, opened, state, { events, logs, log, sizing });
  const { reconciler, collection, preparation } = running;
  keepLogs(opened.platform, logs, log);

  const serving: Serving = { ready: false, router: null };
  const statistics = new FunctionStatistics();
  const audience = audienceOf(reconciler, statistics);
  const links = new RouterLinks(audience, () => serving.ready, realClock.now);
  const snapshots = config.redis ? new TableSnapshots(config.redis.url, config.redis.namespace) : null;
  let endSnapshots = () => {};
  const registries = async () => {
    metrics.observe(reconciler.view());
    metrics.sized(pools.list(), sizing.sizer);
    return [metrics.registry, serving.router?.registry, config.functionLines?.registry].flatMap((registry) => registry ?? []);
  };
  const api = await openApi(config, opened, state, { metrics, events, logs, log, sizing, reconciler, links, serving, statistics, root, registries });
  undo.add(async () => {
    serving.ready = false;
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
  serving.ready = true;
  collection.start();
  if (snapshots) endSnapshots = snapshots.keep(reconciler, () => links.peers, url);
  await stores.follow(functions, pools, reconciler);
  tellCapped(pools.capped, events, log);

  return {
    url: httpUrl(config.host, front.port),
    link: audience,
    registries,
    attachRouter: (router) => {
      serving.router = router;
    },
    close: () => undo.all(),
  };
}

/** Reports that a step on the cluster fails, and null once it works, as metric, event and log line. */
function troubleReport(metrics: ManagerMetrics, events: EventLog, log: Logger): (step: string, message: string | null) => void {
  return (step, message) => {
    metrics.trouble(step, message !== null);
    events.emit({ type: "cluster.trouble", step, message });
    if (message === null) log.warn({ step }, "works again");
    else log.warn({ step }, message);
  };
}

/** The parts that run while this pool manager leads. None of them has started yet. */
interface RunningParts {
  reconciler: Reconciler;
  collection: CodeCollector;
  preparation: CodePreparer;
  /** A function was deployed, changed or deleted. */
  functionChanged(uid: string, name: string): void;
}

function runningParts(
  config: ManagerConfig,
  { platform, images, term, unavailable, bounds }: OpenPlatform,
  state: OpenState,
  { events, logs, log, sizing }: Pick<ApiParts, "events" | "logs" | "log" | "sizing">,
): RunningParts {
  const { functions, pools, stores } = state;
  const { sizer } = sizing;
  const onEvent = (event: PoolEvent) => {
    sizer.heard(event);
    events.emit(event);
  };
  const layer = (digest: string) => images.layer(digest);
  const onDecided = sizer.observe.bind(sizer);
  const pace = defaultPace(config.platform);
  const { planner: idling, schedules } = sizing;
  const reconciler = new Reconciler({
    platform,
    functions,
    pools,
    bounds,
    layer,
    clock: realClock,
    pace,
    term,
    idling,
    schedules,
    unavailable,
    onEvent,
    onDecided,
  });
  const isPaused = () => pools.list().some(({ paused }) => paused);
  const collection = new CodeCollector({ functions, images, platform, stores, isPaused, onEvent, log });
  const preparation = new CodePreparer({ functions, layer, platform, log });
  const functionChanged = (uid: string, name: string) => {
    const record = functions.byUid(uid);
    if (record) {
      events.emit({ type: "function.changed", function: uid, revision: record.active });
      void preparation.one(record);
    } else {
      events.emit({ type: "function.deleted", function: name });
      logs.forget(uid);
      sizer.recorder.forget(uid);
    }
    reconciler.functionChanged(uid);
    collection.changed();
  };
  return { reconciler, collection, preparation, functionChanged };
}

/** Keeps the lines that instances print as their functions' logs. A line may come before the record that tells whose it is. */
function keepLogs(platform: Platform, logs: FunctionLogs, log: Logger): void {
  const ownerOf = (uid: string) => platform.observe().instances.get(uid)?.echo?.functionUid ?? null;
  const claimed = (uid: string) => {
    const owner = ownerOf(uid);
    if (owner !== null) logs.claimed(owner, uid, realClock.now());
    return owner;
  };
  platform.watch(claimed);
  platform.onLog((uid, line) => {
    const owner = claimed(uid);
    if (owner !== null) return logs.add(owner, uid, line);
    logs.addEarly(uid, line, realClock.now());
    log.debug({ instance: uid, line }, "output of an instance without function");
  });
}

/** Tells of pools whose declared size is above this machine's capacity. */
function tellCapped(messages: readonly string[], events: EventLog, log: Logger): void {
  for (const message of messages) {
    log.warn(message);
    events.notice({ topic: "capped", kind: "Pool", count: 1, message });
  }
}
