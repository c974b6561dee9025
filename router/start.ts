import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { httpUrl } from "../pool-manager/client/address.ts";
import type { PoolManagerLink, RouterPeer } from "../pool-manager/client/contract.ts";
import { listenHost } from "../runtime-images/protocol/listen-host.ts";
import { troubleLine } from "../telemetry/trouble.ts";
import { AccessLog } from "./access-log.ts";
import type { RouterConfig } from "./config.ts";
import { firstOfSeries } from "./connection-limit.ts";
import { RouterMetrics } from "./metrics.ts";
import { ManageProxy } from "./openfaas-api/manage-proxy.ts";
import { RouterReadiness } from "./routing/readiness.ts";
import { ServedRevisions } from "./routing/served-revisions.ts";
import { RouterServer } from "./server.ts";

export interface Router {
  url: string;
  registry: Registry;
  /** Why this router must not receive invocations: it has no table, is about to stop, or reaches neither a pool manager nor an instance. Null: it is ready. */
  unready(): string | null;
  /**
   * Reports not ready and leaves its functions to other routers, serves for another `unreadyMs` and until they know, then
   * accepts no further connection. Running invocations finish within the drain time; the rest are aborted.
   */
  close(): Promise<void>;
}

/** How long a stopping router waits for the collector to take the last spans. */
const LAST_SPANS_MS = 2000;

/**
 * Wires a router and starts to listen. `connect` opens its link to the pool manager; `say` receives a line when the pool
 * manager has been silent for long, when no instance is reachable then, and when either ends. Rejects with EADDRINUSE.
 */
export async function startRouter(
  config: RouterConfig,
  connect: (self: RouterPeer) => PoolManagerLink,
  say: (line: string) => void = () => {},
): Promise<Router> {
  const metrics = new RouterMetrics();
  const id = randomBytes(4).toString("hex");
  const { accessShare } = config;
  const accessLog = accessShare > 0 ? new AccessLog(accessShare, (line) => process.stdout.write(line)) : null;
  const traces = config.traces && (await openTraces(config.traces, id, metrics, say));
  const functions = new ServedRevisions(id, metrics, accessLog, config, { traces });
  const standing = new RouterReadiness({ table: functions.table, say });
  const tell = firstOfSeries(() => say("more clients connect than this process may open files for: their connections are closed (ulimit -n)"));
  const refused = () => {
    metrics.connectionRefused();
    tell();
  };
  const manage = config.manageUrl === null ? null : new ManageProxy(config.manageUrl);
  const server = new RouterServer(config, functions, standing, manage, refused);
  metrics.unheard(() => functions.table.unheardMs);
  server.http.listen(config.port, listenHost(config.host));
  await once(server.http, "listening");
  const { port } = server.http.address() as AddressInfo;
  functions.follow(connect({ id, host: config.advertise, port }));
  standing.start();
  return {
    url: httpUrl(config.host, port),
    registry: metrics.registry,
    unready: () => server.unready,
    async close() {
      standing.stop();
      server.leave();
      const [untold] = await Promise.all([functions.leave(), sleep(config.unreadyMs)]);
      for (const peer of untold) say(`a router does not know that this one leaves, and may lose an invocation: ${peer}`);
      const closed = server.close();
      const deadline = performance.now() + config.drainMs;
      while (functions.active > 0 && performance.now() < deadline) await sleep(10);
      functions.close();
      manage?.close();
      server.destroy();
      await closed;
      if (traces) await Promise.race([traces.close(), sleep(LAST_SPANS_MS)]);
    },
  };
}

/** OpenTelemetry is loaded only where traces are on: it takes longer to load than the router. */
async function openTraces(config: NonNullable<RouterConfig["traces"]>, instance: string, metrics: RouterMetrics, say: (line: string) => void) {
  const { OtlpTraces } = await import("./traces/otlp-exporter.ts");
  const { endpoint, share, version } = config;
  return new OtlpTraces({ endpoint, service: "berth-router", version, instance }, share, {
    dropped: (spans, reason) => metrics.spansDropped(spans, reason),
    trouble: (message) => say(troubleLine("traces", endpoint, message)),
  });
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
