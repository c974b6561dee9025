import type { Endpoint, TableFunction } from "../../../pool-manager/client/contract.ts";

/** A loaded worker of revision `r1` on this machine. */
export function endpoint(change: Partial<Endpoint> = {}): Endpoint {
  const address = { host: "127.0.0.1", port: 1, key: null };
  return { instanceUid: "i", bootId: "b", epoch: 1, ...address, revision: "r1", loaded: true, start: "warm", claimMs: 0, ...change };
}

/** The function `f` as a router knows it, without instances unless a test gives it some. */
export function tableFunction(change: Partial<TableFunction> = {}): TableFunction {
  const bounds = { concurrency: 1, timeoutMs: 60_000, loadTimeoutMs: 1000, queueDepth: 10, queueTimeoutMs: 60_000, expectedStartMs: 1 };
  const routes = { split: [], aliases: {}, endpoints: [], failure: null, blocked: null };
  return { key: "f", uid: "f", name: "f", revision: "r1", ...routes, ...bounds, ...change };
}
