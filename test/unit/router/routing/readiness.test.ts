import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import type { Endpoint } from "../../../../pool-manager/client/contract.ts";
import { RouterReadiness, UNHEARD_MS } from "../../../../router/routing/readiness.ts";
import { Table } from "../../../../router/routing/table.ts";
import { endpoint, tableFunction } from "../../../helpers/builders/table.ts";

/** A table that the test moves in time. */
function tableOf(endpoints: Endpoint[]) {
  const time = { now: 0 };
  const table = new Table({ upsert: () => {}, removed: () => {}, endpointGone: () => {} }, () => time.now);
  const snapshot = () => table.apply({ type: "snapshot", functions: [tableFunction({ endpoints })] });
  const lost = () => table.apply({ type: "lost", reason: "connect ECONNREFUSED" });
  return { time, table, snapshot, lost };
}

test.each([
  // heard, after, reached → stranded
  [true, UNHEARD_MS * 2, false, false],
  [false, UNHEARD_MS - 1, false, false],
  [false, UNHEARD_MS, true, false],
  [false, UNHEARD_MS, false, true],
])("heard: %s, %i ms later, reaches an instance: %s → stranded: %s", async (heard, ms, reached, stranded) => {
  const { time, table, snapshot, lost } = tableOf([endpoint()]);
  const standing = new RouterReadiness({ table, say: () => {}, reach: async () => reached });
  snapshot();
  if (!heard) lost();
  time.now += ms;
  await standing.check();
  expect(standing.isStranded).toBe(stranded);
});

test("without any instance the router is stranded until it hears a pool manager; each change is reported once, with its reason", async () => {
  const { time, table, snapshot, lost } = tableOf([]);
  const said: string[] = [];
  const standing = new RouterReadiness({ table, say: (line) => said.push(line) });
  snapshot();
  lost();
  for (let i = 0; i < 5; i++) {
    time.now += UNHEARD_MS;
    // Each further try fails too.
    lost();
    await standing.check();
    expect(standing.isStranded).toBe(true);
  }
  snapshot();
  await standing.check();
  expect(standing.isStranded).toBe(false);
  await standing.check();
  expect(said).toEqual([
    "the pool manager has not been heard for 30 s (connect ECONNREFUSED): known instances keep serving",
    "none of the 0 known instances can be reached either: not ready",
    "the pool manager is heard again",
  ]);
});

test("one instance that accepts a connection suffices, though many others do not", async () => {
  const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const dead = Array.from({ length: 40 }, (_, i) => endpoint({ instanceUid: `i${i}`, port: i + 1 }));
  const { time, table, snapshot, lost } = tableOf([...dead, endpoint({ port })]);
  const said: string[] = [];
  const standing = new RouterReadiness({ table, say: (line) => said.push(line) });
  snapshot();
  lost();
  time.now = UNHEARD_MS;
  await standing.check();
  expect(standing.isStranded).toBe(false);
  server.close();
  await once(server, "close");
  await standing.check();
  expect(standing.isStranded).toBe(true);
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  await standing.check();
  expect([standing.isStranded, said.at(-1)]).toEqual([false, "an instance can be reached again: ready"]);
  server.close();
});
