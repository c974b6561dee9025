import type { Registry } from "prom-client";
import type { RouterAudience, RouterLinks } from "./api/routes/router-links.ts";
import { realClock } from "./async/clock.ts";
import type { Reconciler } from "./pool/reconciler.ts";
import type { FunctionStatistics } from "./statistics/function-statistics.ts";

/** The router of an embedded Berth. */
export interface AttachedRouter {
  url: string;
  registry: Registry;
}

/** Routers' reports go to the reconciler, and what they count of invocations to the statistics. */
export function audienceOf(reconciler: Reconciler, statistics: FunctionStatistics): RouterAudience {
  return {
    subscribe: (listener) => reconciler.subscribe(listener),
    report: (report) => {
      reconciler.report(report);
      if (report.usage) statistics.hear(report.usage, realClock.now());
    },
    leave: () => reconciler.leave(),
    routerEnded: (id) => reconciler.routerEnded(id),
  };
}

/** The embedded router, or one that is connected. */
export function routerAddress(router: AttachedRouter | null, links: RouterLinks): { host: string; port: number } | null {
  if (!router) return links.peers[0] ?? null;
  const { hostname, port } = new URL(router.url);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) };
}
