import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { TableFunction } from "../../../../pool-manager/client/contract.ts";
import { startRouter } from "../../../../router/start.ts";
import { routerConfig } from "../../../helpers/builders/router-config.ts";

test("an instance that refuses an invocation for a reason of a later version rests, and does not get the invocation again at once", async () => {
  let asked = 0;
  const instance = createServer((_, res) => {
    asked += 1;
    res.writeHead(503, { "x-berth-refused": "of a later version" }).end();
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void instance.close());
  await once(instance, "listening");
  const { port } = instance.address() as AddressInfo;
  const endpoint = {
    instanceUid: "i",
    bootId: "b",
    epoch: 1,
    host: "127.0.0.1",
    port,
    key: null,
    revision: "r",
    loaded: true,
    start: "warm",
    claimMs: 0,
  } as const;
  const bounds = { concurrency: 1, timeoutMs: 5000, loadTimeoutMs: 1000, queueDepth: 10, queueTimeoutMs: 500, expectedStartMs: 1 };
  const fn: TableFunction = {
    key: "f",
    uid: "f",
    name: "f",
    revision: "r",
    split: [],
    aliases: {},
    ...bounds,
    endpoints: [endpoint],
    failure: null,
    blocked: null,
  };
  const router = await startRouter(routerConfig(), () => ({
    subscribe: (listener) => {
      listener({ type: "snapshot", functions: [fn] });
      return () => {};
    },
    report: () => {},
    leave: () => {},
  }));
  onTestFinished(() => router.close());
  const { status } = await fetch(`${router.url}/function/f`);
  expect([status, asked]).toEqual([504, 1]);
});
