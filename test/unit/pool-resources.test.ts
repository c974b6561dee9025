import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Pools } from "../../pool-manager/pool/pools.ts";
import { RESOURCES } from "../../pool-manager/resources/crds.ts";
import type { StoreNotice } from "../../pool-manager/resources/notice.ts";
import { type PoolResource, PoolResources } from "../../pool-manager/resources/pool-resources.ts";
import { ResourceServer } from "../helpers/resource-server.ts";

const PATH = `${RESOURCES}/namespaces/n/pools/node`;
const NODE = { name: "node", runtime: "node", size: 1, max: 20, budget: { actions: 1, windowMs: 1000 }, partition: 0, paused: false };

let server: ResourceServer;
let store: PoolResources;
let pools: Pools;
let notices: StoreNotice[];
/** When reports were rejected. Seconds. */
const failures: number[] = [];

/** As the pool manager reports, every two seconds. */
async function report(seconds: number): Promise<void> {
  for (let at = 0; at < seconds; at += 2) {
    await store.report(pools.get("node"), { free: 0, instances: 0, problems: [] }).catch(() => failures.push(at));
    await vi.advanceTimersByTimeAsync(2000);
  }
}

const resource = () => server.objects.get(PATH) as PoolResource | undefined;

beforeEach(async () => {
  vi.useFakeTimers();
  server = new ResourceServer();
  notices = [];
  store = new PoolResources(server, 1, (notice) => notices.push(notice));
  pools = new Pools(store, () => {});
  await pools.load([NODE]);
  await store.follow(pools.list(), (name, change) => pools.declare(name, change));
  await server.patch(PATH, "apply", { metadata: {}, spec: { size: 3 } });
  await report(4);
});
afterEach(() => {
  store.close();
  vi.useRealTimers();
});

test("a pool's resource that somebody deletes is written again as it was, and the pool keeps its size meanwhile", async () => {
  expect(pools.get("node").size).toBe(3);
  await server.delete(PATH);
  await report(6);
  expect([pools.get("node").size, resource()?.spec.size, resource()?.status?.size]).toEqual([3, 3, 3]);
  expect(notices.map(({ topic }) => topic)).toEqual(["missing", "restored"]);
});

test("so it is when the definition was deleted, as soon as there is one again, with pauses that grow", async () => {
  server.undefine("pools");
  const create = vi.spyOn(server, "create");
  await report(120);
  expect(create.mock.calls.length).toBeLessThan(8);
  server.define("pools");
  await report(70);
  expect([pools.get("node").size, resource()?.spec.size, notices.map(({ topic }) => topic)]).toEqual([3, 3, ["missing", "restored"]]);
  await server.patch(PATH, "apply", { metadata: {}, spec: { size: 5 } });
  await report(4);
  expect(pools.get("node").size).toBe(5);
});

test.each([
  ["resources there", true],
  ["none there", false],
])("a start needs no write to them, with %s: reports fail until it may be written", async (_what, areThere) => {
  store.close();
  if (!areThere) await server.delete(PATH);
  for (const what of ["PUT /apis", "POST /apis"]) server.refusals.set(what, 500);
  notices = [];
  failures.length = 0;
  store = new PoolResources(server, 2, (notice) => notices.push(notice));
  pools = new Pools(store, () => {});
  await pools.load([NODE]);
  await store.follow(pools.list(), (name, change) => pools.declare(name, change));
  await report(10);
  expect([pools.get("node").size, resource()?.status?.term, failures.length > 1]).toEqual(areThere ? [3, 1, true] : [1, undefined, true]);
  server.refusals.clear();
  await report(40);
  expect([resource()?.status?.term, resource()?.status?.replicas, notices]).toEqual([2, 0, []]);
});

test("a resource that carries a later term ends a start", async () => {
  store.close();
  store = new PoolResources(server, 0, () => {});
  await expect(store.load()).rejects.toMatchObject({ reason: "Fenced" });
});
