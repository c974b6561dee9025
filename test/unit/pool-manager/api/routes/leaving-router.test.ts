import Fastify, { type FastifyInstance } from "fastify";
import { afterEach, expect, test } from "vitest";
import { RouterLinks } from "../../../../../pool-manager/api/routes/router-links.ts";
import { ManagerClient } from "../../../../../pool-manager/client/client.ts";
import { until } from "../../../../helpers/berth.ts";

const apps: FastifyInstance[] = [];
const clients: ManagerClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

/** A pool manager's side of the link; `seen` has the ids of the routers that it lists, each time another one has just come. */
async function manager(port = 0): Promise<{ seen: string[][]; ended: string[]; port: number; links: RouterLinks; end: () => Promise<void> }> {
  const seen: string[][] = [];
  const ended: string[] = [];
  const subscribe = () => {
    setImmediate(() => seen.push(links.peers.map(({ id }) => id)));
    return () => {};
  };
  const links: RouterLinks = new RouterLinks({ subscribe, report: () => {}, leave: () => {}, routerEnded: (id) => ended.push(id) }, () => true);
  const app = Fastify({ forceCloseConnections: true });
  apps.push(app);
  links.routes(app);
  await app.listen({ port, host: "127.0.0.1" });
  const end = async () => {
    links.close();
    await app.close();
  };
  return { seen, ended, port: (app.server.address() as { port: number }).port, links, end };
}

test("a router that leaves is never a peer for a pool manager that has just started", async () => {
  const former = await manager();
  const follow = (id: string) => {
    const client = new ManagerClient(`http://127.0.0.1:${former.port}`, { id, host: "127.0.0.1", port: 1 });
    clients.push(client);
    client.subscribe(() => {});
    return client;
  };
  const leaving = follow("leaves");
  follow("stays");
  await until(() => former.links.peers.length === 2, "both follow");
  leaving.leave();
  await until(() => former.links.peers.length === 1, "one leaves");
  await former.end();
  const next = await manager(former.port);
  await until(() => next.seen.length === 2, "both follow again");
  expect(next.seen.flat()).not.toContain("leaves");
  expect(next.links.peers.map(({ id }) => id)).toEqual(["stays"]);
  next.links.close();
});

test("a router at the address of a former one proves that the former one has ended; a broken connection alone does not prove it", async () => {
  const { ended, links, port } = await manager();
  const follow = (id: string, at: number) => {
    const client = new ManagerClient(`http://127.0.0.1:${port}`, { id, host: "127.0.0.1", port: at });
    clients.push(client);
    client.subscribe(() => {});
    return client;
  };
  const [former, other] = [follow("former", 1), follow("other", 2)];
  await until(() => links.peers.length === 2, "both follow");
  other.close();
  follow("next", 1);
  await until(() => links.peers.map(({ id }) => id).join() === "former,next", "it follows beside its predecessor, whose stream is open yet");
  expect(ended).toEqual([]);
  former.close();
  await until(() => links.peers.length === 1, "its predecessor is gone");
  expect(ended).toEqual(["former"]);
  follow("last", 2);
  await until(() => links.peers.length === 2, "another follows");
  expect(ended).toEqual(["former", "other"]);
  links.close();
});
