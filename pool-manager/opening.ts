import { join } from "node:path";
import type { Logger } from "pino";
import type { Standby } from "./api/standby.ts";
import type { CleanupStack } from "./async/cleanup-stack.ts";
import { realClock } from "./async/clock.ts";
import { capacityOf, defaultPools, type ManagerConfig } from "./config.ts";
import { ManagerError } from "./errors.ts";
import type { EventLog } from "./event-log.ts";
import { FunctionRegistry } from "./functions/registry.ts";
import { Retention } from "./functions/retention.ts";
import type { BuildImage } from "./functions/revisions.ts";
import { CodeImages, ENTRY_PROGRAM } from "./images/code-images.ts";
import { imageIntake, type TakeImage } from "./images/foreign/image-intake.ts";
import { OciLayout } from "./images/layout.ts";
import { withRetries } from "./kubernetes/retry.ts";
import type { ManagerMetrics } from "./metrics.ts";
import { type CreatedPlatform, createPlatform } from "./platform/create.ts";
import { reservedBytes } from "./pool/memory/reserved.ts";
import { Pools } from "./pool/pools.ts";
import type { Schedules } from "./schedules/schedules.ts";
import { fileStores, resourceStores, type Stores } from "./stores/stores.ts";

/** The parts that a pool manager acts on: code images, the platform, and on a cluster the leadership. */
export interface OpenPlatform extends CreatedPlatform {
  layout: OciLayout;
  images: CodeImages;
  takeImage: TakeImage;
}

export interface PlatformOpening {
  metrics: ManagerMetrics;
  standby: Standby | null;
  /** Address of the manage API that other pool managers are told. */
  url: string;
  log: Logger;
  /** Reports once that a step on the cluster fails and is being retried, and null once it works. */
  onTrouble(step: string, message: string | null): void;
  stop: AbortSignal;
}

/** Opens the code images and the platform; on a cluster it first waits until this pool manager leads. */
export async function openPlatform(config: ManagerConfig, root: string, opening: PlatformOpening): Promise<OpenPlatform> {
  const { metrics, standby, url, log, onTrouble, stop } = opening;
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
  for (const note of created.notes) log.info(note);
  const { cluster } = created;
  if (cluster) layout.fetchMissingFrom((digest) => cluster.code.fetch(digest));
  return { layout, images, takeImage: imageIntake(images, cluster?.foreign ?? null), ...created };
}

/** The users' settings: the stores, and the functions and pools that were loaded from them. */
export interface OpenState {
  stores: Stores;
  functions: FunctionRegistry;
  pools: Pools;
}

export interface StateOpening extends Pick<PlatformOpening, "log" | "onTrouble" | "stop"> {
  events: EventLog;
  schedules: Schedules;
  undo: CleanupStack;
  /** A function was deployed, changed or deleted. */
  functionChanged(uid: string, name: string): void;
  /** The settings of a pool were changed. */
  poolsChanged(): void;
}

/** The number of functions that a warning names. */
const NAMED = 10;

/** Opens the stores, and loads functions and pools. */
export async function openState(config: ManagerConfig, opened: OpenPlatform, opening: StateOpening): Promise<OpenState> {
  const stores = await openStores(config, opened, opening, (digest) => functions.codeByDigest(digest));
  opening.undo.add(() => stores.close());
  const retention = new Retention(config.retention, realClock.now);
  const functions: FunctionRegistry = new FunctionRegistry(stores.functions, imageBuild(opened), opening.functionChanged, retention, opened.classes);
  const pools = new Pools(stores.pools, opening.poolsChanged, {
    capacity: capacityOf(config),
    schedules: opening.schedules,
    reserved: (pool) => reservedBytes(functions, pool),
  });
  await Promise.all([functions.load(), pools.load(defaultPools(config, opened.runtimes, opened.classes))]);
  for (const [runtime, reason] of opened.unavailable) {
    const names = functions.list().filter((record) => record.runtime === runtime);
    if (names.length > 0) opening.log.warn({ functions: names.slice(0, NAMED).map(({ name }) => name) }, `${names.length} functions cannot run: ${reason}`);
  }
  return { stores, functions, pools };
}

async function openStores(
  config: ManagerConfig,
  { cluster, term, runtimes, bounds, images, takeImage, layout }: OpenPlatform,
  { events, log, onTrouble, stop }: StateOpening,
  known: FunctionRegistry["codeByDigest"],
): Promise<Stores> {
  const sinks = { log, onNotice: events.notice };
  if (!cluster) return fileStores(config.stateDir, sinks);
  const patience = (step: string) => ({ stop, onTrouble: (message: string | null) => onTrouble(step, message) });
  const blob = (digest: string) => layout.get(digest);
  const sources = { kube: cluster.kube, term, runtimes, bounds, images, takeImage, known, blob, patience: patience("resources"), ...sinks };
  return withRetries(() => resourceStores(sources), patience("definitions"));
}

/** Builds the code image of a revision; on a cluster another pool manager must find it before the deployment is acknowledged. */
function imageBuild({ images, cluster }: OpenPlatform): BuildImage {
  return async (...of) => {
    const image = await images.build(...of);
    await cluster?.code.publish(image).catch((error: Error) => {
      throw new ManagerError("STORE_FAILED", `the code could not be pushed: ${error.message}`);
    });
    return image;
  };
}
