import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import type { PoolManagerLink, TableFunction } from "../../../../pool-manager/client/contract.ts";
import { startRouter } from "../../../../router/start.ts";
import { routerConfig } from "../../../helpers/builders/router-config.ts";
import { endpoint, tableFunction } from "../../../helpers/builders/table.ts";

/** How long no instance listens. */
const AWAY_MS = 300;
/** An instance rests for a second after most refusals, so that many tries need many instances. */
const INSTANCES = 40;

test.concurrent.each(["full", "stale", "draining"])(
  "an invocation waits in the queue while its instances refuse it as %s, however many they are",
  async (why) => {
    let refusals = 0;
    const instance = createServer((_request, response) => {
      if (refusals === INSTANCES) return void response.end("served");
      refusals += 1;
      response.writeHead(503, { "x-berth-refused": why }).end();
    });
    const port = await listen(instance, 0);
    try {
      expect(await invoke(port)).toEqual([200, "served"]);
    } finally {
      instance.close();
    }
  },
);

test.concurrent("and while nothing listens at any of their addresses", async () => {
  const instance = createServer((_request, response) => void response.end("served"));
  const port = await listen(instance, 0);
  instance.close();
  const back = setTimeout(() => void listen(instance, port), AWAY_MS);
  try {
    expect(await invoke(port)).toEqual([200, "served"]);
  } finally {
    clearTimeout(back);
    instance.close();
  }
});

test.concurrent("the queue's timeout ends that wait", async () => {
  const instance = createServer((_request, response) => void response.writeHead(503, { "x-berth-refused": "stale" }).end());
  const port = await listen(instance, 0);
  try {
    const [status, text] = await invoke(port, 1200);
    expect([status, JSON.parse(text)]).toMatchObject([504, { error: { code: "QUEUE_TIMEOUT" } }]);
  } finally {
    instance.close();
  }
});

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Invokes a function whose instances all are at that port. */
async function invoke(port: number, queueTimeoutMs = 30_000): Promise<[number, string]> {
  const link: PoolManagerLink = {
    subscribe: (listener) => {
      listener({ type: "snapshot", functions: [functionAt(port, queueTimeoutMs)] });
      return () => {};
    },
    report: () => {},
    leave: () => {},
  };
  const router = await startRouter(routerConfig({ drainMs: 1000 }), () => link);
  try {
    const answer = await fetch(`${router.url}/function/f`);
    return [answer.status, await answer.text()];
  } finally {
    await router.close();
  }
}

function functionAt(port: number, queueTimeoutMs: number): TableFunction {
  const endpoints = Array.from({ length: INSTANCES }, (_, i) => endpoint({ instanceUid: `i${i}`, port }));
  return tableFunction({ timeoutMs: 30_000, queueDepth: 100, queueTimeoutMs, expectedStartMs: 100, endpoints });
}
