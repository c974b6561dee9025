import { once } from "node:events";
import { createServer } from "node:http";
import { expect, test } from "vitest";
import type { PoolManagerLink, TableFunction } from "../../pool-manager/client/contract.ts";
import { MAX_ATTEMPTS } from "../../router/retry.ts";
import { startRouter } from "../../router/start.ts";

/** As long as another router that stops may let its invocations run on, in small. Milliseconds. */
const FULL_MS = 1500;

test("an invocation waits in the queue for an instance that others keep full, however often it says so", async () => {
  let refusals = 0;
  const until = performance.now() + FULL_MS;
  const instance = createServer((_request, response) => {
    if (performance.now() > until) return void response.end("served");
    refusals += 1;
    response.writeHead(503, { "x-berth-refused": "full" }).end();
  }).listen(0, "127.0.0.1");
  await once(instance, "listening");
  const { port } = instance.address() as { port: number };
  const link: PoolManagerLink = {
    subscribe: (listener) => {
      listener({ type: "snapshot", functions: [oneAt(port)] });
      return () => {};
    },
    report: () => {},
    leave: () => {},
  };
  const limits = { keys: null, ownKey: null, domain: null, maxBodyBytes: 1000, accessShare: 0, unreadyMs: 0, drainMs: 1000 };
  const router = await startRouter({ host: "127.0.0.1", port: 0, advertise: "127.0.0.1", ...limits }, () => link);
  try {
    const answer = await fetch(`${router.url}/function/f`);
    expect([answer.status, await answer.text()]).toEqual([200, "served"]);
    expect(refusals).toBeGreaterThan(MAX_ATTEMPTS);
  } finally {
    await router.close();
    instance.close();
  }
});

function oneAt(port: number): TableFunction {
  const limits = { concurrency: 1, timeoutMs: 30_000, loadTimeoutMs: 1000, queueDepth: 100, queueTimeoutMs: 30_000, expectedStartMs: 100 };
  const claim = { start: "warm", claimMs: 0, loaded: true } as const;
  const endpoint = { instanceUid: "i", bootId: "b", epoch: 1, host: "127.0.0.1", port, key: null, revision: "r1", ...claim };
  return { key: "f", uid: "f", name: "f", revision: "r1", split: [], aliases: {}, ...limits, endpoints: [endpoint], failure: null, blocked: null };
}
