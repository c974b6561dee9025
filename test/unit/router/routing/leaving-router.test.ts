import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { ApiKeys, newKey } from "../../../../pool-manager/client/api-keys.ts";
import type { PoolManagerLink, RouterPeer, TableChange, TableFunction } from "../../../../pool-manager/client/contract.ts";
import type { RouterConfig } from "../../../../router/config.ts";
import { SlotOwnership } from "../../../../router/routing/ownership.ts";
import { type Router, startRouter } from "../../../../router/start.ts";
import { routerConfig } from "../../../helpers/builders/router-config.ts";
import { endpoint, tableFunction } from "../../../helpers/builders/table.ts";

/** A router and what the pool manager tells it, which is nothing of a router that leaves. */
interface Member {
  router: Router;
  self: RouterPeer;
  tell(change: TableChange): void;
}

let instance: Server;
let instancePort: number;
let answer: (req: IncomingMessage, res: ServerResponse) => void;
const members: Member[] = [];

beforeEach(async () => {
  answer = (req, res) => void res.end(String(req.headers["x-forwarded-for"]).split(",").length === 2 ? "forwarded" : "direct");
  instance = createServer((req, res) => answer(req, res)).listen(0, "127.0.0.1");
  await once(instance, "listening");
  instancePort = (instance.address() as AddressInfo).port;
});
afterEach(async () => {
  await Promise.all(members.splice(0).map(({ router }) => router.close()));
  instance.closeAllConnections();
  await new Promise((resolve) => instance.close(resolve));
});

async function start(change: Partial<RouterConfig> = {}): Promise<Member> {
  let told: (change: TableChange) => void = () => {};
  const selves: RouterPeer[] = [];
  const link: PoolManagerLink = {
    subscribe: (listener) => {
      told = listener;
      return () => {};
    },
    report: () => {},
    leave: () => {},
  };
  const router = await startRouter(routerConfig({ drainMs: 5000, ...change }), (peer) => {
    selves.push(peer);
    return link;
  });
  const member = { router, self: selves[0] as RouterPeer, tell: (one: TableChange) => told(one) };
  members.push(member);
  return member;
}

/** Two routers that know of each other; the first one owns the slots of `f`. */
async function pair(change: Partial<RouterConfig> = {}): Promise<[owner: Member, other: Member]> {
  const [owner, other] = [await start(change), await start(change)];
  const routers = [owner.self, other.self];
  const ownership = new SlotOwnership(other.self.id);
  ownership.set(routers);
  const uid = Array.from({ length: 100 }, (_, i) => `f${i}`).find((one) => ownership.ownerOf(one) !== null) as string;
  for (const { tell } of [owner, other]) {
    tell({ type: "snapshot", functions: [functionOf(uid)] });
    tell({ type: "routers", routers });
  }
  return [owner, other];
}

function functionOf(uid: string): TableFunction {
  const bounds = { concurrency: 10, timeoutMs: 30_000, queueDepth: 100, queueTimeoutMs: 5000, expectedStartMs: 100 };
  return tableFunction({ key: uid, uid, ...bounds, endpoints: [endpoint({ port: instancePort })] });
}

async function invoke({ router }: Member, headers: Record<string, string> = {}): Promise<[number, string]> {
  const response = await fetch(`${router.url}/function/f`, { headers });
  return [response.status, await response.text()];
}

test("a router that leaves tells the others itself: they forward nothing to it, also if the pool manager has said nothing", async () => {
  const [owner, other] = await pair({ unreadyMs: 500 });
  expect(await invoke(other)).toEqual([200, "forwarded"]);
  const closed = owner.router.close();
  await expect.poll(() => invoke(other), { timeout: 400 }).toEqual([200, "direct"]);
  // A list that still has it does not bring it back.
  other.tell({ type: "routers", routers: [owner.self, other.self] });
  expect(await invoke(other)).toEqual([200, "direct"]);
  await closed;
  expect(await invoke(other)).toEqual([200, "direct"]);
});

test("an invocation that was forwarded before ends there", async () => {
  const [owner, other] = await pair();
  const arrived = new Promise<ServerResponse>((resolve) => {
    answer = (_req, res) => resolve(res);
  });
  const inFlight = invoke(other);
  const response = await arrived;
  const closed = owner.router.close();
  answer = (_req, res) => void res.end("direct");
  await expect.poll(() => invoke(other)).toEqual([200, "direct"]);
  response.end("forwarded before");
  expect(await inFlight).toEqual([200, "forwarded before"]);
  await closed;
});

test("a client that says that a router leaves is not believed", async () => {
  const [owner, other] = await pair();
  for (const [method, id] of [
    ["POST", "nobody"],
    ["GET", owner.self.id],
  ] as const) {
    const response = await fetch(`${other.router.url}/routers/leaving`, { method, headers: { "x-berth-hop": id } });
    expect([response.status, await invoke(other)]).toEqual([404, [200, "forwarded"]]);
  }
  expect((await fetch(`${other.router.url}/routers/leaving`, { method: "POST" })).status).toBe(404);
});

test("with keys the notice needs the role of a router", async () => {
  const [key, guest] = [newKey("r", ["route", "invoke"]), newKey("g", ["invoke"])];
  const file = join(mkdtempSync(join(tmpdir(), "berth-keys-")), "keys");
  writeFileSync(file, `${key.line}\n${guest.line}\n`);
  const keys = new ApiKeys(file);
  onTestFinished(() => rmSync(dirname(file), { recursive: true }));
  const [owner, other] = await pair({ keys, ownKey: key.key, unreadyMs: 500 });
  const own = { "x-berth-api-key": key.key };
  const refused = await fetch(`${other.router.url}/routers/leaving`, {
    method: "POST",
    headers: { "x-berth-hop": owner.self.id, "x-berth-api-key": guest.key },
  });
  expect([refused.status, await invoke(other, own)]).toEqual([403, [200, "forwarded"]]);
  const closed = owner.router.close();
  await expect.poll(() => invoke(other, own), { timeout: 400 }).toEqual([200, "direct"]);
  await closed;
});

test("a router that does not answer does not delay a router that leaves", async () => {
  const [owner, other] = await pair();
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  owner.tell({ type: "routers", routers: [owner.self, other.self, { id: "silent", host: "127.0.0.1", port }] });
  const from = performance.now();
  await owner.router.close();
  expect(performance.now() - from).toBeLessThan(2000);
  expect(await invoke(other)).toEqual([200, "direct"]);
  silent.closeAllConnections();
  silent.close();
});
