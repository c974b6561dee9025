import type { Logger } from "pino";
import type { FunctionStore } from "../functions/function.ts";
import type { ResourceBounds } from "../functions/manifest/resources.ts";
import type { FunctionRegistry } from "../functions/registry.ts";
import type { Collector } from "../functions/retention.ts";
import type { CodeImages } from "../images/code-images.ts";
import type { TakeImage } from "../images/foreign/image-intake.ts";
import { packLayer } from "../images/layer.ts";
import type { KubeClient } from "../kubernetes/client.ts";
import { type RetryOptions, withRetries } from "../kubernetes/retry.ts";
import type { PoolEvent } from "../pool/events.ts";
import type { HistoryStore } from "../pool/history/stored-history.ts";
import type { PoolStore, Pools } from "../pool/pools.ts";
import type { Reconciler } from "../pool/reconciler.ts";
import { FunctionFiles } from "./files/function-files.ts";
import { HistoryFiles } from "./files/history-files.ts";
import { PoolFiles } from "./files/pool-files.ts";
import { inWords, type SetAside } from "./files/set-aside.ts";
import { installDefinitions } from "./kubernetes/definitions/install.ts";
import { FunctionResources } from "./kubernetes/function-resources.ts";
import type { StoreNotice } from "./kubernetes/notices.ts";
import { PoolResources } from "./kubernetes/pool-resources.ts";
import { ClusterEvents } from "./kubernetes/status/cluster-events.ts";
import { PoolHistories } from "./kubernetes/status/pool-histories.ts";
import { StatusReports } from "./kubernetes/status/status-reports.ts";
import { WriteFailureReport } from "./kubernetes/write-failures.ts";

/** The stores of functions and pools: files of the state directory, or custom resources of the cluster. */
export interface Stores {
  functions: FunctionStore;
  pools: PoolStore;
  /** The claims that pools have recorded. */
  history: HistoryStore;
  /** Starts to ingest declarations that do not come through the API, and to report statuses. */
  follow(functions: FunctionRegistry, pools: Pools, reconciler: Reconciler): Promise<void>;
  /** Layers that a declaration names and no revision has yet. */
  declared(): ReadonlySet<string>;
  /** Removes what is stored beside functions that are not among these, once the collector allows it. */
  retain(functions: ReadonlySet<string>, collector: Collector): void;
  /** Records a pool's event as a Kubernetes Event, if resources have Events. */
  tell(event: PoolEvent): void;
  close(): void;
}

/** Where a store's notices for operators go. */
export interface NoticeSinks {
  log: Logger;
  onNotice(notice: StoreNotice): void;
}

export function fileStores(stateDir: string, { log, onNotice }: NoticeSinks): Stores {
  const functions = new FunctionFiles(stateDir);
  const pools = new PoolFiles(stateDir);
  const history = new HistoryFiles(stateDir);
  const tell = (kind: "Function" | "Pool", damaged: readonly SetAside[]) => {
    for (const one of damaged) {
      const notice: StoreNotice = { topic: "damaged", kind, count: 1, message: inWords(one) };
      log.error(notice);
      onNotice(notice);
    }
  };
  return {
    functions,
    pools,
    history,
    async follow() {
      tell("Function", functions.damaged);
      tell("Pool", [...pools.damaged, ...history.damaged]);
    },
    declared: () => new Set(),
    retain: () => {},
    tell: () => {},
    close: () => {},
  };
}

export interface ResourceSources extends NoticeSinks {
  kube: KubeClient;
  term: number;
  runtimes: readonly string[];
  bounds: ResourceBounds | null;
  images: CodeImages;
  takeImage: TakeImage;
  /** Looks up code of existing revisions by digest. */
  known: FunctionRegistry["codeByDigest"];
  /** Reads a blob or manifest. */
  blob(digest: string): Promise<Uint8Array>;
  /** Retries of the first listing of the resources. */
  patience: RetryOptions;
}

export async function resourceStores({
  kube,
  term,
  runtimes,
  bounds,
  images,
  takeImage,
  known,
  blob,
  log,
  onNotice,
  patience,
}: ResourceSources): Promise<Stores> {
  await installDefinitions(kube, (message) => log.warn(message));
  const upload = async (files: Record<string, string>) => {
    const tar = await packLayer(Object.entries(files).map(([path, text]) => ({ path, data: Buffer.from(text) })));
    return (await images.upload(tar)).ref;
  };
  const code = async (digest: string) => known(digest) ?? (await images.find(digest));
  const notice = (one: StoreNotice) => {
    log.warn(one);
    onNotice(one);
  };
  const functions = new FunctionResources({
    kube,
    term,
    runtimes,
    bounds,
    code,
    upload,
    takeImage,
    blob,
    notice,
    patiently: (work) => withRetries(work, patience),
  });
  const pools = new PoolResources(kube, term, notice);
  const history = new PoolHistories(pools, notice);
  const failures = new WriteFailureReport(notice);
  const events = new ClusterEvents({
    kube,
    uidOf: ({ kind: of, name }) => (of === "Pool" ? pools.uidOf(name) : functions.uidOf(name)),
    now: () => performance.now(),
    watch: (write) => failures.of("Pool", "Kubernetes Events are not written", write),
  });
  let reports: StatusReports | null = null;
  return {
    functions,
    pools,
    history,
    tell: (event) => events.tell(event),
    declared: () => functions.declared(),
    retain: (uids, collector) => void failures.of("Function", "secrets are not removed", functions.retain(uids, collector)),
    async follow(registry, all, reconciler) {
      await pools.follow(all.list(), (name, change) => all.declare(name, change));
      functions.follow({ declared: (declaration) => registry.declare(declaration), withdrawn: (name) => registry.withdraw(name) });
      const onTrouble = (kind: "Function" | "Pool", message: string | null) =>
        notice({ topic: "failing", kind, count: message ? 1 : 0, message: `statuses of resources are not reported: ${message ?? "resolved"}` });
      reports = new StatusReports({ registry, pools: all, reconciler, resources: { functions, pools }, failures, onTrouble });
      reports.start();
    },
    close() {
      reports?.close();
      events.close();
      functions.close();
      pools.close();
    },
  };
}
