import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { startRouter } from "../../../../router/start.ts";
import { routerConfig } from "../../../helpers/builders/router-config.ts";
import { endpoint, tableFunction } from "../../../helpers/builders/table.ts";

test("an instance that refuses an invocation for a reason of a later version rests, and does not get the invocation again at once", async () => {
  let asked = 0;
  const instance = createServer((_, res) => {
    asked += 1;
    res.writeHead(503, { "x-berth-refused": "of a later version" }).end();
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void instance.close());
  await once(instance, "listening");
  const { port } = instance.address() as AddressInfo;
  const fn = tableFunction({ timeoutMs: 5000, queueTimeoutMs: 500, endpoints: [endpoint({ port })] });
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
