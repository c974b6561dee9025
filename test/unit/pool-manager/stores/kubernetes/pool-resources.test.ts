import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Pools } from "../../../../../pool-manager/pool/pools.ts";
import { RESOURCES } from "../../../../../pool-manager/stores/kubernetes/definitions/crds.ts";
import type { StoreNotice } from "../../../../../pool-manager/stores/kubernetes/notices.ts";
import { type PoolResource, PoolResources } from "../../../../../pool-manager/stores/kubernetes/pool-resources.ts";
import { ResourceServer } from "../../../../helpers/servers/resource-server.ts";

const PATH = `${RESOURCES}/namespaces/n/pools/node`;
const NODE = { name: "node", runtime: "node", size: 1, max: 20, budget: { actions: 1, windowMs: 1000 }, partition: 0, paused: false };

let server: ResourceServer;
let store: PoolResources;
let pools: Pools;
let notices: StoreNotice[];
/** When reports were rejected. Seconds. */
const failures: number[] = [];

/** Reports every two seconds, as the pool manager does. */
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

test("idleMemory is declared in the resource and set through the API, which takes it away with null; one without room is refused", async () => {
  await server.patch(PATH, "apply", { metadata: {}, spec: { size: 3, idleMemory: "1Gi" } });
  await report(4);
  expect(pools.get("node")).toMatchObject({ size: 3, idleMemory: 2 ** 30 });
  await server.patch(PATH, "apply", { metadata: {}, spec: { size: 3, idleMemory: "96Mi" } });
  await report(4);
  const accepted = resource()?.status?.conditions?.find(({ type }) => type === "Accepted");
  expect(accepted).toMatchObject({ status: "False", message: expect.stringContaining("idleMemory: 96Mi has no room for size 3, which takes 288Mi") });
  expect(pools.get("node").idleMemory).toBe(2 ** 30);
  await pools.set("node", { idleMemory: "2Gi" });
  await report(4);
  expect([pools.get("node").idleMemory, resource()?.spec.idleMemory]).toEqual([2 ** 31, "2Gi"]);
  await pools.set("node", { idleMemory: null });
  await report(4);
  expect([pools.get("node").idleMemory, resource()?.spec.idleMemory ?? null]).toEqual([undefined, null]);
});

test("schedules are declared in the resource and set through the API; one that is wrong is refused, and those in force stay", async () => {
  const always = (instances: number) => `daily 00:00-24:00 UTC=${instances}`;
  await server.patch(PATH, "apply", { metadata: {}, spec: { size: 3, max: 9, warm: [always(5)] } });
  await report(4);
  expect([pools.get("node").size, resource()?.spec.size, resource()?.status?.size]).toEqual([5, 3, 5]);
  await server.patch(PATH, "apply", { metadata: {}, spec: { size: 3, max: 9, warm: [always(10)] } });
  await report(4);
  const accepted = resource()?.status?.conditions?.find(({ type }) => type === "Accepted");
  expect(accepted).toMatchObject({ status: "False", message: expect.stringContaining("keeps 10 instances, and max is 9") });
  expect(pools.get("node").size).toBe(5);
  await pools.set("node", { warm: [] }, true);
  await report(4);
  expect([pools.get("node").size, resource()?.spec.warm]).toEqual([3, []]);
});

test("a change that is made while finalizers hold the deleted resource is not lost with it", async () => {
  await server.patch(PATH, "merge", { metadata: { finalizers: ["foregroundDeletion"] } });
  await server.delete(PATH);
  await report(4);
  await pools.set("node", { size: 7 }, true);
  server.letGo(PATH);
  await report(8);
  expect([pools.get("node").size, resource()?.spec.size, resource()?.status?.size, resource()?.metadata.deletionTimestamp]).toEqual([7, 7, 7, undefined]);
});

test("after its definition was deleted, it is written again once there is a definition, after growing pauses", async () => {
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

describe("after a start", () => {
  /** Starts a pool manager after a change of the pool that was made while none ran. */
  async function restart(spec: object): Promise<void> {
    store.close();
    const found = resource() as PoolResource;
    await server.patch(PATH, "merge", { metadata: {}, spec });
    expect(resource()?.metadata.generation).toBe((found.metadata.generation ?? 0) + 1);
    await again();
  }
  async function again(): Promise<void> {
    store.close();
    store = new PoolResources(server, 2, (notice) => notices.push(notice));
    pools = new Pools(store, () => {});
    await pools.load([NODE]);
    atStart = pools.get("node");
    await store.follow(pools.list(), (name, change) => pools.declare(name, change));
    await report(4);
  }
  let atStart: { size: number; max: number };
  const inForce = () => [atStart, pools.get("node"), resource()?.status].map((pool) => [pool?.size, pool?.max]);
  const accepted = () => resource()?.status?.conditions?.find(({ type }) => type === "Accepted");

  test("a pool is as large as it was before: a size above the default maximum raises it", async () => {
    await server.patch(PATH, "apply", { metadata: {}, spec: { size: 200 } });
    await report(4);
    expect([pools.get("node").size, pools.get("node").max]).toEqual([200, 200]);
    await again();
    expect(inForce()).toEqual(Array(3).fill([200, 200]));
  });

  test.each([
    ["a size above the maximum", { size: 50, max: 10 }],
    ["a budget of nothing", { size: 4, budget: { actions: 0, windowMs: 1000 } }],
    ["another runtime", { size: 7, runtime: "python" }],
  ])("%s is refused, and what was in force holds", async (_what, spec) => {
    await restart(spec);
    expect(inForce()).toEqual(Array(3).fill([3, 20]));
    expect(accepted()).toMatchObject({ status: "False", reason: "POOL_INVALID" });
    await again();
    expect([inForce()[0], accepted()?.status]).toEqual([[3, 20], "False"]);
    await server.patch(PATH, "merge", { metadata: {}, spec: { size: 2, max: 12, budget: { actions: 1, windowMs: 1000 }, runtime: "node" } });
    await report(4);
    expect(inForce()[1]).toEqual([2, 12]);
  });

  test("a value that was never in force is the default", async () => {
    const found = resource() as PoolResource;
    server.objects.set(PATH, { ...found, spec: { size: 50, max: 10 }, status: {} });
    await again();
    expect(inForce()).toEqual(Array(3).fill([1, 20]));
  });
});

test("a file with invalid content ends a start with an error", async () => {
  const files = { load: async () => new Map([["node", { set: { size: 50, max: 10 }, held: null }]]), save: async () => {} };
  const load = new Pools(files, () => {}).load([NODE]);
  await expect(load).rejects.toMatchObject({ code: "POOL_INVALID", message: "the pool node, as it is stored: size: 50 is not between 0 and max 10" });
});

test("a resource that carries a later term ends a start", async () => {
  store.close();
  store = new PoolResources(server, 0, () => {});
  await expect(store.load()).rejects.toMatchObject({ reason: "Fenced" });
});

describe("pools of size classes", () => {
  const CLASS_PATH = `${RESOURCES}/namespaces/n/pools/node-1gi`;
  const inClass = () => server.objects.get(CLASS_PATH) as PoolResource | undefined;

  beforeEach(async () => {
    store.close();
    store = new PoolResources(server, 1, (notice) => notices.push(notice));
    pools = new Pools(store, () => {});
    await pools.load([NODE, { ...NODE, name: "node-1gi", sizeClass: 2 ** 30 }]);
    pools.observe(new Set(["node-2gi"]));
    await store.follow(pools.list(), (name, change) => pools.declare(name, change));
  });

  test("have resources that name their runtime, and are declared there", async () => {
    expect(inClass()?.spec).toEqual({ runtime: "node" });
    await server.patch(CLASS_PATH, "apply", { metadata: {}, spec: { runtime: "node", size: 2 } });
    await report(4);
    expect(pools.get("node-1gi")).toMatchObject({ size: 2, sizeClass: 2 ** 30 });
    await server.patch(CLASS_PATH, "apply", { metadata: {}, spec: { runtime: "python", size: 3 } });
    await report(4);
    const accepted = inClass()?.status?.conditions?.find(({ type }) => type === "Accepted");
    expect([accepted?.status, accepted?.message, pools.get("node-1gi").size]).toEqual([
      "False",
      expect.stringContaining("the pools of python are named python"),
      2,
    ]);
  });

  test("that are not declared any more get none, and one that there is cannot be changed", async () => {
    const path = `${RESOURCES}/namespaces/n/pools/node-2gi`;
    expect(server.objects.has(path)).toBe(false);
    await server.patch(path, "apply", { metadata: {}, spec: { runtime: "node", size: 3 } });
    await report(4);
    const accepted = (server.objects.get(path) as PoolResource | undefined)?.status?.conditions?.find(({ type }) => type === "Accepted");
    expect(accepted).toMatchObject({ status: "False", message: expect.stringContaining("not declared any more") });
  });
});
