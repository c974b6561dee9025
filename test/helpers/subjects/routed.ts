import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import type { Endpoint, RouterPeer, Suspect, TableChange, TableFunction } from "../../../pool-manager/client/contract.ts";
import type { RouterConfig } from "../../../router/config.ts";
import { startRouter } from "../../../router/start.ts";
import { routerConfig } from "../builders/router-config.ts";
import { endpoint, tableFunction } from "../builders/table.ts";

/** A router over a table that the test writes: no pool manager, and instances that are servers of the test's. */
export interface Routed {
  url: string;
  /** Its entry in the peers of other routers. */
  self: RouterPeer;
  /** The suspects that the router has reported. */
  suspects: Suspect[];
  tell(change: TableChange): void;
  metrics(): Promise<string>;
  close(): Promise<void>;
}

export async function startRouted(functions: TableFunction[], options: Partial<RouterConfig> = {}): Promise<Routed> {
  const suspects: Suspect[] = [];
  let tell: (change: TableChange) => void = () => {};
  let self: RouterPeer = { id: "", host: "", port: 0 };
  const router = await startRouter(routerConfig({ maxBodyBytes: 1_000_000, ...options }), (peer) => {
    self = peer;
    return {
      subscribe: (listener) => {
        tell = listener;
        listener({ type: "snapshot", functions });
        return () => {};
      },
      report: (report) => void suspects.push(...report.suspects),
      leave: () => {},
    };
  });
  return { url: router.url, self, suspects, tell: (change) => tell(change), metrics: () => router.registry.metrics(), close: () => router.close() };
}

/** The function `f`, whose instances listen on these ports of this machine. */
export function functionAt(ports: readonly number[], change: Partial<TableFunction> = {}, more: Partial<Endpoint> = {}): TableFunction {
  const bounds = { concurrency: 10, timeoutMs: 5000, queueDepth: 100, queueTimeoutMs: 2000 };
  const endpoints = ports.map((port, i) => endpoint({ instanceUid: `i${i}`, port, ...more }));
  return tableFunction({ ...bounds, endpoints, ...change });
}

/** Starts to listen on any free port, which it resolves with. */
export async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
