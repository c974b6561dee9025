import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import type { PoolManagerLink } from "../pool-manager/client/contract.ts";
import type { RouterConfig } from "./config.ts";
import { Functions } from "./functions.ts";
import { RouterMetrics } from "./metrics.ts";
import { buildServer } from "./server.ts";

export interface Router {
  url: string;
  registry: Registry;
  /** Takes no further connection, lets running invocations finish within the drain time, ends the rest. */
  close(): Promise<void>;
}

/** Wires a router and starts to listen. Rejects with EADDRINUSE. */
export async function startRouter(config: RouterConfig, link: PoolManagerLink): Promise<Router> {
  const metrics = new RouterMetrics();
  const functions = new Functions(randomBytes(4).toString("hex"), link, metrics);
  const server = buildServer(config, functions);
  server.listen(config.port, config.host);
  await once(server, "listening").catch(async (error) => {
    await functions.close();
    throw error;
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${config.host}:${port}`,
    registry: metrics.registry,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const deadline = Date.now() + config.drainMs;
      while (functions.active > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
      await functions.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
