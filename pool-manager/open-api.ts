import { join } from "node:path";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { viewsOf } from "./api/context-views.ts";
import type { RouterLinks } from "./api/routes/router-links.ts";
import { buildApi } from "./api/server.ts";
import type { ManagerConfig } from "./config.ts";
import type { EventLog } from "./event-log.ts";
import type { FunctionLogs } from "./functions/logs.ts";
import type { ManagerMetrics } from "./metrics.ts";
import type { OpenPlatform, OpenState } from "./opening.ts";
import type { Reconciler } from "./pool/reconciler.ts";
import type { SizingParts } from "./pool/sizing-parts.ts";
import { type AttachedRouter, routerAddress } from "./router-access.ts";
import type { FunctionStatistics } from "./statistics/function-statistics.ts";

/** The state of this process that the API shows while it runs. */
export interface Serving {
  ready: boolean;
  router: AttachedRouter | null;
}

/** The parts that the manage API shows and changes. */
export interface ApiParts {
  events: EventLog;
  logs: FunctionLogs;
  log: Logger;
  sizing: SizingParts;
  metrics: ManagerMetrics;
  reconciler: Reconciler;
  links: RouterLinks;
  serving: Serving;
  statistics: FunctionStatistics;
  root: string;
  /** The registries of what /metrics shows, up to date. */
  registries(): Promise<Registry[]>;
}

/** Builds the manage API; nothing reaches it yet. */
export async function openApi(
  config: ManagerConfig,
  { platform, runtimes, python, images, takeImage, bounds, limits }: OpenPlatform,
  { functions, pools }: OpenState,
  parts: ApiParts,
) {
  const { metrics, events, logs, log, sizing, reconciler, links, serving, statistics, root, registries } = parts;
  const api = await buildApi(
    {
      version: config.version,
      platform: platform.kind,
      runtimes,
      python,
      bounds,
      limits,
      functions,
      pools,
      images,
      takeImage,
      logs,
      maxCodeBytes: config.maxCodeBytes,
      onEvent: (listener) => events.follow(listener),
      metrics: async () => ({ registries: await registries() }),
      ...viewsOf(reconciler, platform, functions),
      sizing,
      routerUrl: () => (config.invokeUrl ?? serving.router?.url)?.replace(/\/+$/, "") ?? null,
      routerAddress: () => routerAddress(serving.router, links),
      statistics,
      dashboardDir: join(root, "dist/dashboard"),
      keys: config.keys,
      ready: () => serving.ready,
      failed: (code) => metrics.requestFailed(code),
      links,
    },
    log,
  );
  await api.ready();
  return api;
}
